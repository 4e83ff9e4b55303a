// Perl-compatible expressions for ngx.re, over PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Neither a pattern nor a match may hold the event loop for long: the watchdog does not reach into the library.
#define PATTERN_LIMIT 65536
#define MATCH_LIMIT 200000
#define DEPTH_LIMIT 20000
#define HEAP_LIMIT_KIBIBYTES 16384

#define METATABLE "sluice.regex"

// A block of memory that the library was given for matches; a match that is left by a jump leaves its blocks behind.
typedef struct block {
  struct block *previous;
  struct block *next;
} block;

typedef struct {
  pcre2_code *code;
  pcre2_match_data *data;
  pcre2_general_context *memory;
  block blocks;
} regex;

static void unblock(sig_atomic_t was_blocked) {
  slu_escape_blocked = was_blocked;
  if (was_blocked || !slu_escape_pending) return;
  slu_escape_pending = 0;
  if (slu_escape != NULL) siglongjmp(*slu_escape, 1);
}

static void *give(PCRE2_SIZE size, void *context) {
  regex *self = context;
  sig_atomic_t was_blocked = slu_escape_blocked;
  slu_escape_blocked = 1;
  block *made = malloc(sizeof *made + size);
  if (made != NULL) {
    *made = (block){&self->blocks, self->blocks.next};
    made->next->previous = made;
    self->blocks.next = made;
  }
  unblock(was_blocked);
  return made == NULL ? NULL : made + 1;
}

static void take_back(void *memory, void *context) {
  (void)context;
  if (memory == NULL) return;
  sig_atomic_t was_blocked = slu_escape_blocked;
  slu_escape_blocked = 1;
  block *made = (block *)memory - 1;
  made->previous->next = made->next;
  made->next->previous = made->previous;
  free(made);
  unblock(was_blocked);
}

static void take_all_back(regex *self) {
  self->data = NULL;
  while (self->blocks.next != &self->blocks) take_back(self->blocks.next + 1, self);
}

static bool make_data(regex *self) {
  if (self->data == NULL) self->data = pcre2_match_data_create_from_pattern(self->code, self->memory);
  return self->data != NULL;
}

static int collect(lua_State *L) {
  regex *self = lua_touserdata(L, 1);
  if (self->code == NULL) return 0;
  take_all_back(self);
  pcre2_code_free(self->code);
  pcre2_general_context_free(self->memory);
  self->code = NULL;
  return 0;
}

static int fail(lua_State *L, const char *function, int code) {
  PCRE2_UCHAR text[160];
  if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT || code == PCRE2_ERROR_HEAPLIMIT ||
      pcre2_get_error_message(code, text, sizeof text) < 0) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s() failed: %d", function, code);
    return 2;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s() failed: %s", function, (const char *)text);
  return 2;
}

// Reads the option letters; false with the unknown one in `unknown`.
static bool read_options(const char *letters, uint32_t *options, char *unknown) {
  for (; *letters; letters++) {
    switch (*letters) {
      case 'a': *options |= PCRE2_ANCHORED; break;
      case 'D': *options |= PCRE2_DUPNAMES; break;
      case 'i': *options |= PCRE2_CASELESS; break;
      case 'm': *options |= PCRE2_MULTILINE; break;
      case 's': *options |= PCRE2_DOTALL; break;
      case 'u': case 'U': *options |= PCRE2_UTF; break;
      case 'x': *options |= PCRE2_EXTENDED; break;
      // Ways to match that give the same matches: ordinary search, compiled, kept, and JavaScript's reading.
      case 'd': case 'j': case 'o': case 'J': break;
      default: *unknown = *letters; return false;
    }
  }
  return true;
}

// compile(pattern, options): a compiled pattern; or nil and why not.
int slu_regex_compile(lua_State *L) {
  size_t length;
  const char *pattern = luaL_checklstring(L, 1, &length);
  const char *letters = luaL_checkstring(L, 2);
  uint32_t options = 0;
  char unknown = 0;
  if (!read_options(letters, &options, &unknown)) {
    return luaL_error(L, "unknown flag \"%c\" (flags \"%s\")", unknown, letters);
  }
  if (length > PATTERN_LIMIT) {
    lua_pushnil(L);
    lua_pushliteral(L, "pcre2_compile() failed: pattern is too long");
    return 2;
  }
  regex *self = lua_newuserdata(L, sizeof *self);
  *self = (regex){.blocks = {&self->blocks, &self->blocks}};
  if (luaL_newmetatable(L, METATABLE)) {
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
  int code;
  PCRE2_SIZE offset;
  self->code = pcre2_compile((PCRE2_SPTR)pattern, length, options, &code, &offset, NULL);
  if (self->code == NULL) {
    PCRE2_UCHAR text[160];
    if (pcre2_get_error_message(code, text, sizeof text) < 0) text[0] = 0;
    lua_pushnil(L);
    if (offset >= length) {
      lua_pushfstring(L, "pcre2_compile() failed: %s in \"%s\"", (const char *)text, pattern);
    } else {
      lua_pushfstring(L, "pcre2_compile() failed: %s in \"%s\" at \"%s\"", (const char *)text, pattern,
                      pattern + offset);
    }
    return 2;
  }
  self->memory = pcre2_general_context_create(give, take_back, self);
  // The context itself lies in one of the blocks that it gives out, and must outlive the others: off the list.
  if (self->memory != NULL) {
    block *own = self->blocks.next;
    self->blocks = (block){&self->blocks, &self->blocks};
    *own = (block){own, own};
  }
  if (self->memory == NULL || !make_data(self)) return luaL_error(L, "not enough memory");
  return 1;
}

static void push_names(lua_State *L, const regex *self, int table) {
  uint32_t count = 0, size = 0;
  PCRE2_SPTR names = NULL;
  pcre2_pattern_info(self->code, PCRE2_INFO_NAMECOUNT, &count);
  if (count == 0) return;
  pcre2_pattern_info(self->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
  pcre2_pattern_info(self->code, PCRE2_INFO_NAMETABLE, &names);
  for (uint32_t index = 0; index < count; index++, names += size) {
    const char *name = (const char *)names + 2;
    int group = names[0] << 8 | names[1];
    lua_getfield(L, table, name);
    bool is_known = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (is_known) continue;
    lua_rawgeti(L, table, group);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushboolean(L, 0);
    }
    lua_setfield(L, table, name);
  }
}

// Searches; leaves by a jump when the run has to end, and then without match data.
static int search(lua_State *L, regex *self, const char *subject, size_t length, size_t start,
                  pcre2_match_context *context) {
  const slu_host *host = (const slu_host *)slu_guard_of(L);
  if (!make_data(self)) return PCRE2_ERROR_NOMEMORY;
  sigjmp_buf escape;
  if (sigsetjmp(escape, 0) != 0) {
    slu_escape = NULL;
    take_all_back(self);
    return PCRE2_ERROR_NOMATCH;
  }
  slu_escape_pending = 0;
  slu_escape = &escape;
  // The signal may have come just before.
  if (*(const volatile int32_t *)&host->abort != SLU_ABORT_NONE) siglongjmp(escape, 1);
  int code = pcre2_match(self->code, (PCRE2_SPTR)subject, length, start, 0, self->data, context);
  slu_escape = NULL;
  return code;
}

// match(pattern, subject, start, group): searches from byte `start` (from 0). Without a match nil; on failure nil and
// why. Else the captures (nil when a group number is given), and first and last byte of the group (from 1; nil if the
// group took no part), 0 being the whole match.
int slu_regex_match(lua_State *L) {
  regex *self = luaL_checkudata(L, 1, METATABLE);
  size_t length;
  const char *subject = luaL_checklstring(L, 2, &length);
  size_t start = (size_t)luaL_checknumber(L, 3);
  int group = (int)luaL_optinteger(L, 4, 0);
  bool wants_captures = lua_isnoneornil(L, 4);
  if (self->code == NULL || start > length) return 0;

  pcre2_match_context *context = pcre2_match_context_create(NULL);
  if (context == NULL) return luaL_error(L, "not enough memory");
  pcre2_set_match_limit(context, MATCH_LIMIT);
  pcre2_set_depth_limit(context, DEPTH_LIMIT);
  pcre2_set_heap_limit(context, HEAP_LIMIT_KIBIBYTES);
  int code = search(L, self, subject, length, start, context);
  pcre2_match_context_free(context);
  slu_check(L);
  if (self->data == NULL) return luaL_error(L, "execution aborted");
  if (code == PCRE2_ERROR_NOMATCH) return 0;
  if (code < 0) return fail(L, "pcre2_match", code);

  PCRE2_SIZE *spans = pcre2_get_ovector_pointer(self->data);
  int groups = (int)pcre2_get_ovector_count(self->data);
  if (wants_captures) {
    lua_createtable(L, groups, 1);
    int table = lua_gettop(L);
    // A group that took no part is false.
    for (int index = 0; index < code; index++) {
      if (spans[2 * index] == PCRE2_UNSET) {
        lua_pushboolean(L, 0);
      } else {
        lua_pushlstring(L, subject + spans[2 * index], spans[2 * index + 1] - spans[2 * index]);
      }
      lua_rawseti(L, table, index);
    }
    for (int index = code; index < groups; index++) {
      lua_pushboolean(L, 0);
      lua_rawseti(L, table, index);
    }
    push_names(L, self, table);
  } else {
    lua_pushnil(L);
  }
  if (group < 0 || group >= groups || spans[2 * group] == PCRE2_UNSET) return 1;
  lua_pushnumber(L, (double)spans[2 * group] + 1);
  lua_pushnumber(L, (double)spans[2 * group + 1]);
  return 3;
}
