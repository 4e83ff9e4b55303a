// Bounds for C code that Lua code calls: the hook that ends a run fires between two instructions of Lua only, and the
// stack of a thread has no guard of its own against C functions that call back.
#define _GNU_SOURCE
#include "LuaGuard.h"

#include <lauxlib.h>
#include <pthread.h>
#include <string.h>

// Bytes of the stack that stay free for code that does not check: the VM, the C library, the host's own functions.
#define STACK_RESERVE (192u * 1024u)
// Bytes of the stack for functions that call back: some two hundred levels, as many as Lua 5.1 allows.
#define CALLBACK_STACK (192u * 1024u)
// Items that may be sorted without a look at the clock.
#define SORT_UNCHECKED 512
// Bytes from which on a string is so large that the collector is told.
#define LARGE_STRING ((size_t)64u << 10)
// Bytes that string.rep may make if the guard says nothing else; LuaJIT's own copies byte by byte.
#define REPEAT_LIMIT ((size_t)16u << 20)

slu_guard *slu_guard_of(lua_State *L) {
  void *context = NULL;
  lua_getallocf(L, &context);
  return context;
}

void slu_check(lua_State *L) {
  slu_guard *guard = slu_guard_of(L);
  if (guard->check != NULL) guard->check(L, guard);
}

void slu_check_stack(lua_State *L) {
  if ((uintptr_t)__builtin_frame_address(0) < slu_guard_of(L)->stack_floor) luaL_error(L, "stack overflow");
}

void slu_check_callback(lua_State *L) {
  if ((uintptr_t)__builtin_frame_address(0) < slu_guard_of(L)->callback_floor) luaL_error(L, "stack overflow");
}

static void find_floor(slu_guard *guard) {
  uint64_t thread = (uint64_t)pthread_self();
  if (guard->stack_thread == thread) return;
  guard->stack_thread = thread;
  guard->stack_floor = 0;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void *lowest = NULL;
  size_t size = 0;
  if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
    size_t reserve = size / 2 < STACK_RESERVE ? size / 2 : STACK_RESERVE;
    guard->stack_floor = (uintptr_t)lowest + reserve;
  }
  pthread_attr_destroy(&attributes);
}

void slu_guard_begin(slu_guard *guard) {
  find_floor(guard);
  uintptr_t floor = (uintptr_t)__builtin_frame_address(0) - CALLBACK_STACK;
  guard->callback_floor = floor > guard->stack_floor ? floor : guard->stack_floor;
}

// MARK: Sorting

typedef enum { BY_DEFAULT = 1, BY_FUNCTION = 2 } order;

// A comparator that looks at the clock: for orders that run no Lua code.
static int checked_order(lua_State *L) {
  slu_check(L);
  if (lua_tointeger(L, lua_upvalueindex(1)) == BY_DEFAULT) {
    lua_pushboolean(L, lua_lessthan(L, 1, 2));
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

// The arguments for the library's own sort.
static int prepare_sort(lua_State *L) {
  slu_check_callback(L);
  if (!lua_istable(L, 1)) return lua_gettop(L);
  if (lua_isnoneornil(L, 2)) {
    if (lua_objlen(L, 1) <= SORT_UNCHECKED) return lua_gettop(L);
    lua_settop(L, 1);
    lua_pushinteger(L, BY_DEFAULT);
    lua_pushnil(L);
  } else if (lua_iscfunction(L, 2)) {
    lua_settop(L, 2);
    lua_pushinteger(L, BY_FUNCTION);
    lua_insert(L, 2);
  } else {
    return lua_gettop(L);
  }
  lua_pushcclosure(L, checked_order, 2);
  return 2;
}

// MARK: Other functions

static int check_callback(lua_State *L) {
  slu_check_callback(L);
  return 0;
}

static int count_coroutine(lua_State *L) {
  slu_guard *guard = slu_guard_of(L);
  if (guard->coroutine_limit == 0 || guard->coroutines < guard->coroutine_limit) {
    guard->coroutines++;
    return 0;
  }
  if (guard->exceed != NULL) guard->exceed(L, guard);
  return luaL_error(L, "too many coroutines");
}

// Collects before a large string when those before it may fill the memory that there is.
static void make_room(lua_State *L, size_t size) {
  slu_guard *guard = slu_guard_of(L);
  if (guard->garbage_limit == 0) return;
  guard->garbage += size;
  if (guard->garbage <= guard->garbage_limit) return;
  guard->garbage = size;
  lua_gc(L, LUA_GCCOLLECT, 0);
}

static int string_rep(lua_State *L) {
  size_t length, separator_length = 0;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Number count = luaL_checknumber(L, 2);
  const char *separator = lua_isnoneornil(L, 3) ? "" : luaL_checklstring(L, 3, &separator_length);
  // A count that is no number counts as none.
  if (!(count >= 1) || length + separator_length == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  size_t limit = slu_guard_of(L)->string_limit;
  if (limit == 0) limit = REPEAT_LIMIT;
  if (count * (lua_Number)(length + separator_length) >= (lua_Number)limit + (lua_Number)separator_length + 1) {
    return luaL_error(L, "resulting string too large");
  }
  size_t times = (size_t)count;
  if (times == 1) {
    lua_settop(L, 1);
    return 1;
  }
  size_t unit = length + separator_length;
  size_t total = unit * times - separator_length;
  char local[256];
  // Twice: the memory it is made in, and the string.
  if (total > LARGE_STRING) make_room(L, 2 * total);
  char *bytes = total <= sizeof local ? local : lua_newuserdata(L, total);
  // One unit, then copies of what is there, twice as much each time.
  memcpy(bytes, text, length);
  if (separator_length > 0) memcpy(bytes + length, separator, separator_length);
  for (size_t filled = unit; filled < total;) {
    size_t piece = filled < total - filled ? filled : total - filled;
    memcpy(bytes + filled, bytes, piece);
    filled += piece;
  }
  lua_pushlstring(L, bytes, total);
  return 1;
}

// Positions below this are refused, and those that are no number of 32 bits: the library's own function would move as many
// places as there are from the end down to the position, two thousand million of them, and nothing could stop it.
#define LOWEST_POSITION (-65536)

static int table_insert(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int last = (int)lua_objlen(L, 1) + 1;
  int count = lua_gettop(L);
  if (count == 2) {
    lua_rawseti(L, 1, last);
    return 0;
  }
  if (count != 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  lua_Number wanted = luaL_checknumber(L, 2);
  if (!(wanted >= LOWEST_POSITION && wanted <= INT32_MAX)) return luaL_argerror(L, 2, "position out of bounds");
  int position = (int)wanted;
  for (int place = last; place > position; place--) {
    lua_rawgeti(L, 1, place - 1);
    lua_rawseti(L, 1, place);
  }
  lua_rawseti(L, 1, position);
  return 0;
}

// Thin covers, so that errors keep the position and the name of the function that the caller used.
static const char covers[] =
    "local prepare_sort, check_callback, count_coroutine = ...\n"
    "local sort, resume, create = table.sort, coroutine.resume, coroutine.create\n"
    "local wrap = coroutine.wrap\n"
    "table.sort = function(...) return sort(prepare_sort(...)) end\n"
    "coroutine.resume = function(...) check_callback() return resume(...) end\n"
    "coroutine.create = function(...) count_coroutine() return create(...) end\n"
    "coroutine.wrap = function(...)\n"
    "  count_coroutine()\n"
    "  local continue = wrap(...)\n"
    "  return function(...) check_callback() return continue(...) end\n"
    "end\n";

void slu_open_guarded(lua_State *L) {
  lua_getglobal(L, "string");
  slu_open_patterns(L);
  lua_pushcfunction(L, string_rep);
  lua_setfield(L, -2, "rep");
  lua_pop(L, 1);
  lua_getglobal(L, "table");
  lua_pushcfunction(L, table_insert);
  lua_setfield(L, -2, "insert");
  lua_pop(L, 1);
  if (luaL_loadbufferx(L, covers, sizeof covers - 1, "=[sluice]", "t") != 0) lua_error(L);
  lua_pushcfunction(L, prepare_sort);
  lua_pushcfunction(L, check_callback);
  lua_pushcfunction(L, count_coroutine);
  lua_call(L, 3, 0);
}
