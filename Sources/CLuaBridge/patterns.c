// Lua 5.1's string.find, match, gmatch and gsub, for code that nobody trusts.
//
// What they do and say is LuaJIT's, but they look at the clock every few thousand steps of a match, so that an
// expensive pattern ends with the run's time; their recursion is bounded, and a replacement function that calls gsub
// again and again ends in "stack overflow". Searches for plain text take linear time.
// Cost beside LuaJIT's own functions (compiler off, -O2, short texts): find +20 to +34 ns, match +5 to +52 ns, gsub
// -27 to +24 ns, gmatch +38 ns a word.
#define _GNU_SOURCE
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "LuaGuard.h"

#define ESCAPE '%'
#define MAXIMUM_CAPTURES 32
// Levels of matching inside matching, as in LuaJIT.
#define MAXIMUM_DEPTH 200
// Steps that one call may take, whatever time is left.
#define STEP_LIMIT 1000000000ull

typedef unsigned char byte;

// Lengths of captures that are none.
enum { IS_OPEN = -1, IS_POSITION = -2 };

typedef struct capture {
  const char *start;
  ptrdiff_t length;
} capture;

typedef struct matcher {
  lua_State *L;
  const char *subject;
  const char *subject_end;
  // The pattern ends at its first zero byte.
  const char *pattern_end;
  int depth;
  int level;
  int fuel;
  uint64_t spent;
  capture captures[MAXIMUM_CAPTURES];
} matcher;

static const char *match_here(matcher *m, const char *s, const char *p);

// MARK: Steps

static __attribute__((noinline, cold)) void refuel(matcher *m) {
  slu_check(m->L);
  m->spent += SLU_CHECK_INTERVAL;
  uint64_t limit = slu_guard_of(m->L)->pattern_limit;
  if (m->spent > (limit == 0 ? STEP_LIMIT : limit)) luaL_error(m->L, "pattern too complex");
  m->fuel = SLU_CHECK_INTERVAL;
}

static inline void step(matcher *m) {
  if (__builtin_expect(--m->fuel <= 0, 0)) refuel(m);
}

static void steps(matcher *m, size_t count) {
  for (; count >= SLU_CHECK_INTERVAL; count -= SLU_CHECK_INTERVAL) refuel(m);
  m->fuel -= (int)count;
  if (m->fuel <= 0) refuel(m);
}

// MARK: Single characters

// Whether a byte is of the class that follows a '%'.
static bool is_in_class(int c, int name) {
  bool found;
  switch (name | 0x20) {
    case 'a': found = isalpha(c); break;
    case 'c': found = iscntrl(c); break;
    case 'd': found = isdigit(c); break;
    case 'g': found = isgraph(c); break;
    case 'l': found = islower(c); break;
    case 'p': found = ispunct(c); break;
    case 's': found = isspace(c); break;
    case 'u': found = isupper(c); break;
    case 'w': found = isalnum(c); break;
    case 'x': found = isxdigit(c); break;
    case 'z': found = c == 0; break;
    default: return c == name;
  }
  return found != (isupper(name) != 0);
}

// The end of the item that begins at `p`: one character, class or set, without its quantifier.
static const char *item_end(matcher *m, const char *p) {
  char first = *p++;
  if (first == ESCAPE) {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  // The first character of a set is never its end.
  do {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == ESCAPE && p < m->pattern_end) p++;
  } while (p == m->pattern_end || *p != ']');
  return p + 1;
}

// Whether a byte is in the set from '[' at `p` to ']' at `last`.
static bool is_in_set(int c, const char *p, const char *last) {
  bool found = true;
  if (p[1] == '^') {
    found = false;
    p++;
  }
  while (++p < last) {
    if (*p == ESCAPE) {
      p++;
      if (is_in_class(c, (byte)*p)) return found;
    } else if (p[1] == '-' && p + 2 < last) {
      if ((byte)p[0] <= c && c <= (byte)p[2]) return found;
      p += 2;
    } else if ((byte)*p == c) {
      return found;
    }
  }
  return !found;
}

// Whether a byte matches the item from `p` to `end`.
static inline bool is_single(int c, const char *p, const char *end) {
  switch (*p) {
    case '.': return true;
    case ESCAPE: return is_in_class(c, (byte)p[1]);
    case '[': return is_in_set(c, p, end - 1);
    default: return (byte)*p == c;
  }
}

// MARK: Items

static const char *match_balanced(matcher *m, const char *s, const char *p) {
  if (m->pattern_end - p < 2) luaL_error(m->L, "unbalanced pattern");
  if (s >= m->subject_end || *s != p[0]) return NULL;
  long open = 1;
  while (++s < m->subject_end) {
    step(m);
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      open++;
    }
  }
  return NULL;
}

static const char *match_most(matcher *m, const char *s, const char *p, const char *end) {
  ptrdiff_t count = 0;
  while (s + count < m->subject_end && is_single((byte)s[count], p, end)) {
    step(m);
    count++;
  }
  for (; count >= 0; count--) {
    step(m);
    const char *found = match_here(m, s + count, end + 1);
    if (found != NULL) return found;
  }
  return NULL;
}

static const char *match_fewest(matcher *m, const char *s, const char *p, const char *end) {
  for (;;) {
    step(m);
    const char *found = match_here(m, s, end + 1);
    if (found != NULL) return found;
    if (s >= m->subject_end || !is_single((byte)*s, p, end)) return NULL;
    s++;
  }
}

static const char *open_capture(matcher *m, const char *s, const char *p, ptrdiff_t kind) {
  if (m->level >= MAXIMUM_CAPTURES) luaL_error(m->L, "too many captures");
  m->captures[m->level].start = s;
  m->captures[m->level].length = kind;
  m->level++;
  const char *found = match_here(m, s, p);
  if (found == NULL) m->level--;
  return found;
}

static const char *close_capture(matcher *m, const char *s, const char *p) {
  int index = m->level - 1;
  while (index >= 0 && m->captures[index].length != IS_OPEN) index--;
  if (index < 0) luaL_error(m->L, "invalid pattern capture");
  m->captures[index].length = s - m->captures[index].start;
  const char *found = match_here(m, s, p);
  if (found == NULL) m->captures[index].length = IS_OPEN;
  return found;
}

static const char *match_reference(matcher *m, const char *s, int digit) {
  int index = digit - '1';
  if (index < 0 || index >= m->level || m->captures[index].length == IS_OPEN) {
    luaL_error(m->L, "invalid capture index");
  }
  // A position, taken as a length, is longer than any text.
  size_t length = (size_t)m->captures[index].length;
  if ((size_t)(m->subject_end - s) < length) return NULL;
  steps(m, length / 16);
  return memcmp(m->captures[index].start, s, length) == 0 ? s + length : NULL;
}

static bool is_frontier(matcher *m, const char *s, const char *p, const char *end) {
  int before = s == m->subject ? 0 : (byte)s[-1];
  int after = s < m->subject_end ? (byte)*s : 0;
  return !is_in_set(before, p, end - 1) && is_in_set(after, p, end - 1);
}

// The end of a match of the pattern from `p` on at `s`, or NULL.
static const char *match_here(matcher *m, const char *s, const char *p) {
  if (++m->depth > MAXIMUM_DEPTH) luaL_error(m->L, "pattern too complex");
  for (;;) {
    step(m);
    if (p == m->pattern_end) break;
    const char *end;
    switch (*p) {
      case '(':
        s = p + 1 < m->pattern_end && p[1] == ')' ? open_capture(m, s, p + 2, IS_POSITION)
                                                   : open_capture(m, s, p + 1, IS_OPEN);
        goto done;
      case ')':
        s = close_capture(m, s, p + 1);
        goto done;
      case '$':
        if (p + 1 == m->pattern_end) {
          if (s != m->subject_end) s = NULL;
          goto done;
        }
        break;
      case ESCAPE: {
        char next = p + 1 < m->pattern_end ? p[1] : 0;
        if (next == 'b') {
          s = match_balanced(m, s, p + 2);
          if (s == NULL) goto done;
          p += 4;
          continue;
        }
        if (next == 'f') {
          p += 2;
          if (p == m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
          end = item_end(m, p);
          if (!is_frontier(m, s, p, end)) {
            s = NULL;
            goto done;
          }
          p = end;
          continue;
        }
        if (next >= '0' && next <= '9') {
          s = match_reference(m, s, next);
          if (s == NULL) goto done;
          p += 2;
          continue;
        }
        break;
      }
      default: break;
    }
    end = item_end(m, p);
    bool fits = s < m->subject_end && is_single((byte)*s, p, end);
    switch (end < m->pattern_end ? *end : 0) {
      case '?':
        if (fits) {
          const char *found = match_here(m, s + 1, end + 1);
          if (found != NULL) {
            s = found;
            goto done;
          }
        }
        p = end + 1;
        continue;
      case '*':
        s = match_most(m, s, p, end);
        goto done;
      case '+':
        s = fits ? match_most(m, s + 1, p, end) : NULL;
        goto done;
      case '-':
        s = match_fewest(m, s, p, end);
        goto done;
      default:
        if (!fits) {
          s = NULL;
          goto done;
        }
        s++;
        p = end;
    }
  }
done:
  m->depth--;
  return s;
}

// MARK: Captures

static void push_capture(matcher *m, int index, const char *start, const char *end) {
  if (index >= m->level) {
    if (index != 0) luaL_error(m->L, "invalid capture index");
    lua_pushlstring(m->L, start, (size_t)(end - start));
    return;
  }
  const capture *captured = &m->captures[index];
  if (captured->length == IS_OPEN) luaL_error(m->L, "unfinished capture");
  if (captured->length == IS_POSITION) {
    lua_pushinteger(m->L, captured->start - m->subject + 1);
  } else {
    lua_pushlstring(m->L, captured->start, (size_t)captured->length);
  }
}

// Pushes all captures, or the whole match if there are none and `start` is given.
static int push_captures(matcher *m, const char *start, const char *end) {
  int count = m->level == 0 && start != NULL ? 1 : m->level;
  luaL_checkstack(m->L, count, "too many captures");
  for (int index = 0; index < count; index++) push_capture(m, index, start, end);
  return count;
}

static void begin(matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern,
                  size_t pattern_length) {
  m->L = L;
  m->subject = subject;
  m->subject_end = subject + length;
  m->pattern_end = pattern + strnlen(pattern, pattern_length);
  m->depth = 0;
  m->level = 0;
  m->fuel = SLU_CHECK_INTERVAL;
  m->spent = 0;
}

static const char *match_at(matcher *m, const char *s, const char *p) {
  m->level = 0;
  m->depth = 0;
  return match_here(m, s, p);
}

// MARK: find and match

static bool is_plain(const char *pattern, size_t length) {
  for (size_t index = 0; index < length; index++) {
    switch (pattern[index]) {
      case '^': case '$': case '*': case '+': case '?': case '.': case '(': case '[': case '%': case '-': return false;
      default: break;
    }
  }
  return true;
}

static int find_or_match(lua_State *L, bool is_find) {
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &pattern_length);
  lua_Integer from = luaL_optinteger(L, 3, 1);
  if (from < 0) {
    from = from < -(lua_Integer)length ? 0 : from + (lua_Integer)length;
  } else if (from > 0) {
    from--;
  }
  size_t offset = (size_t)from > length ? length : (size_t)from;

  if (is_find && (lua_toboolean(L, 4) || is_plain(pattern, pattern_length))) {
    const char *found = pattern_length == 0 ? subject + offset
                                            : memmem(subject + offset, length - offset, pattern, pattern_length);
    if (found == NULL) {
      lua_pushnil(L);
      return 1;
    }
    lua_pushinteger(L, found - subject + 1);
    lua_pushinteger(L, found - subject + (lua_Integer)pattern_length);
    return 2;
  }

  matcher m;
  begin(&m, L, subject, length, pattern, pattern_length);
  bool is_anchored = m.pattern_end > pattern && *pattern == '^';
  if (is_anchored) pattern++;
  const char *s = subject + offset;
  do {
    const char *end = match_at(&m, s, pattern);
    if (end == NULL) continue;
    if (!is_find) return push_captures(&m, s, end);
    lua_pushinteger(L, s - subject + 1);
    lua_pushinteger(L, end - subject);
    return push_captures(&m, NULL, NULL) + 2;
  } while (s++ < m.subject_end && !is_anchored);
  lua_pushnil(L);
  return 1;
}

static int string_find(lua_State *L) { return find_or_match(L, true); }
static int string_match(lua_State *L) { return find_or_match(L, false); }

// MARK: gmatch

static int next_match(lua_State *L) {
  size_t length, pattern_length;
  const char *subject = lua_tolstring(L, lua_upvalueindex(1), &length);
  const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
  matcher m;
  begin(&m, L, subject, length, pattern, pattern_length);
  for (const char *s = subject + lua_tointeger(L, lua_upvalueindex(3)); s <= m.subject_end; s++) {
    const char *end = match_at(&m, s, pattern);
    if (end == NULL) continue;
    lua_pushinteger(L, end - subject + (end == s ? 1 : 0));
    lua_replace(L, lua_upvalueindex(3));
    return push_captures(&m, s, end);
  }
  return 0;
}

static int string_gmatch(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// MARK: gsub

// Text under construction, in memory of the state: on an error nothing is lost.
typedef struct builder {
  lua_State *L;
  char *bytes;
  size_t count;
  size_t capacity;
  // Stack slot that keeps the memory.
  int slot;
  char local[256];
} builder;

static void append(builder *b, const char *bytes, size_t count) {
  if (count > b->capacity - b->count) {
    size_t capacity = b->capacity * 2;
    while (capacity - b->count < count) capacity *= 2;
    char *grown = lua_newuserdata(b->L, capacity);
    memcpy(grown, b->bytes, b->count);
    lua_replace(b->L, b->slot);
    b->bytes = grown;
    b->capacity = capacity;
  }
  memcpy(b->bytes + b->count, bytes, count);
  b->count += count;
}

// Appends a replacement text in which %0 to %9 stand for captures.
static void append_template(matcher *m, builder *b, const char *text, size_t length, const char *start,
                            const char *end) {
  const char *last = text + length;
  while (text < last) {
    const char *escape = memchr(text, ESCAPE, (size_t)(last - text));
    if (escape == NULL) escape = last;
    append(b, text, (size_t)(escape - text));
    if (escape == last) return;
    // Behind a '%' at the end stands the zero byte that ends every string.
    char next = escape[1];
    text = escape + 2;
    if (next < '0' || next > '9') {
      append(b, &next, 1);
    } else if (next == '0') {
      append(b, start, (size_t)(end - start));
    } else {
      size_t size;
      push_capture(m, next - '1', start, end);
      const char *captured = lua_tolstring(m->L, -1, &size);
      append(b, captured, size);
      lua_pop(m->L, 1);
    }
    step(m);
  }
}

// Appends what the replacement gives for a match.
static void append_replacement(matcher *m, builder *b, int kind, const char *start, const char *end) {
  lua_State *L = m->L;
  switch (kind) {
    case LUA_TFUNCTION: {
      lua_pushvalue(L, 3);
      int count = push_captures(m, start, end);
      slu_check(L);
      lua_call(L, count, 1);
      break;
    }
    case LUA_TTABLE:
      push_capture(m, 0, start, end);
      lua_gettable(L, 3);
      break;
    default: {
      size_t length;
      const char *text = lua_tolstring(L, 3, &length);
      append_template(m, b, text, length, start, end);
      return;
    }
  }
  if (!lua_toboolean(L, -1)) {
    append(b, start, (size_t)(end - start));
  } else if (lua_isstring(L, -1)) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    append(b, text, length);
  } else {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

static int string_gsub(lua_State *L) {
  slu_check_callback(L);
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &pattern_length);
  int kind = lua_type(L, 3);
  lua_Integer maximum = luaL_optinteger(L, 4, (lua_Integer)length + 1);
  if (kind != LUA_TNUMBER && kind != LUA_TSTRING && kind != LUA_TFUNCTION && kind != LUA_TTABLE) {
    luaL_argerror(L, 3, "string/function/table expected");
  }
  lua_settop(L, 4);
  if (kind == LUA_TNUMBER) lua_tolstring(L, 3, NULL);
  matcher m;
  begin(&m, L, subject, length, pattern, pattern_length);
  bool is_anchored = m.pattern_end > pattern && *pattern == '^';
  if (is_anchored) pattern++;
  builder b;
  b.L = L;
  b.bytes = b.local;
  b.count = 0;
  b.capacity = sizeof b.local;
  b.slot = 4;

  const char *s = subject;
  // What comes before is in the builder.
  const char *copied = subject;
  lua_Integer replaced = 0;
  while (replaced < maximum) {
    const char *end = match_at(&m, s, pattern);
    if (end != NULL) {
      replaced++;
      append(&b, copied, (size_t)(s - copied));
      append_replacement(&m, &b, kind, s, end);
      copied = end;
    }
    if (end != NULL && end > s) {
      s = end;
    } else if (s < m.subject_end) {
      s++;
    } else {
      break;
    }
    if (is_anchored) break;
  }
  if (replaced == 0) {
    lua_pushvalue(L, 1);
  } else {
    append(&b, copied, (size_t)(m.subject_end - copied));
    lua_pushlstring(L, b.bytes, b.count);
  }
  lua_pushinteger(L, replaced);
  return 2;
}

// MARK: Installation

void slu_open_patterns(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch}, {"gsub", string_gsub}, {NULL, NULL},
  };
  for (const luaL_Reg *function = functions; function->name != NULL; function++) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
  // The old name of gmatch would be LuaJIT's own.
  lua_pushnil(L);
  lua_setfield(L, -2, "gfind");
}
