// Compiles texts without running them.
#include "LuaSyntax.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  const char *text;
  size_t length;
  size_t memory_used;
  size_t memory_limit;
} syntax_check;

static void *allocate(void *context, void *block, size_t old_size, size_t new_size) {
  syntax_check *check = context;
  size_t before = block ? old_size : 0;
  if (new_size == 0) {
    free(block);
    check->memory_used -= before;
    return NULL;
  }
  if (new_size > before && new_size - before > check->memory_limit - check->memory_used) return NULL;
  void *moved = realloc(block, new_size);
  if (moved) check->memory_used = check->memory_used - before + new_size;
  return moved;
}

static int compile(lua_State *L) {
  const syntax_check *check = lua_touserdata(L, 1);
  // The name is the text up to its first zero byte; it must end with one, which a Lua string does.
  lua_pushlstring(L, check->text, check->length);
  if (luaL_loadbufferx(L, check->text, check->length, lua_tostring(L, -1), "t") != 0) return lua_error(L);
  return 0;
}

bool lua_syntax_check(const char *text, size_t length, size_t memory_limit, char *message, size_t capacity) {
  syntax_check check = {.text = text ? text : "", .length = length, .memory_limit = memory_limit};
  lua_State *L = lua_newstate(allocate, &check);
  if (L == NULL) {
    snprintf(message, capacity, "not enough memory");
    return false;
  }
  bool compiles = lua_cpcall(L, compile, &check) == 0;
  if (!compiles) snprintf(message, capacity, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "not enough memory");
  lua_close(L);
  return compiles;
}
