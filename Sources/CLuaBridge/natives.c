// Natives for the prelude.
#include "internal.h"

static slu_host *host_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

static int native_raise(lua_State *L) {
  lua_settop(L, 1);
  return slu_raise(L);
}

// request_table(name): a table of the running request; without a name, that of the running plugin instance.
static int native_request_table(lua_State *L) {
  slu_host *host = host_of(L);
  if (host->depth == 0) return 0;
  lua_settop(L, 1);
  if (host->request_reference == LUA_NOREF) {
    lua_createtable(L, 0, 4);
    host->request_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->request_reference);
  if (lua_isnoneornil(L, 1)) {
    lua_pushnumber(L, host->plugin_key);
  } else {
    lua_pushvalue(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
  }
  return 1;
}

// set_request_table(name, table)
static int native_set_request_table(lua_State *L) {
  slu_host *host = host_of(L);
  if (host->depth == 0) return 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (host->request_reference == LUA_NOREF) {
    lua_createtable(L, 0, 4);
    host->request_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->request_reference);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  return 0;
}

// Whether the coroutine that just yielded did so because the host waits.
static int native_is_waiting(lua_State *L) {
  slu_host *host = host_of(L);
  lua_pushboolean(L, host->suspended || host->exiting);
  return 1;
}

static int native_is_main(lua_State *L) {
  lua_pushboolean(L, L == host_of(L)->running.state);
  return 1;
}

static int native_memory(lua_State *L) {
  lua_pushnumber(L, (double)host_of(L)->memory_used);
  return 1;
}

static int native_set_string_methods(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "");
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  return 0;
}

static int native_array_metatable(lua_State *L) {
  slu_push_array_metatable(L);
  return 1;
}

// compile(text, name, environment): text chunks only.
static int native_compile(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  const char *name = luaL_checkstring(L, 2);
  if (luaL_loadbufferx(L, text, length, name, "t") != 0) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  slu_leave_uncompiled(L, host_of(L));
  if (lua_istable(L, 3)) {
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
  }
  return 1;
}

const luaL_Reg slu_natives[] = {
    {"raise", native_raise},
    {"request_table", native_request_table},
    {"set_request_table", native_set_request_table},
    {"is_waiting", native_is_waiting},
    {"is_main", native_is_main},
    {"memory", native_memory},
    {"set_string_methods", native_set_string_methods},
    {"array_metatable", native_array_metatable},
    {"new_json", slu_json_new_instance},
    {"compile", native_compile},
    {"regex_compile", slu_regex_compile},
    {"regex_match", slu_regex_match},
    {NULL, NULL},
};
