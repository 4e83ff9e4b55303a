// Protected operations on a state, and the values that its registry keeps for the host.
#include "internal.h"

static int run_trusted(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, op->text, op->length, op->name, "t") != 0) return lua_error(L);
  // Loops of the runtime's own code go over what plugins give them.
  slu_leave_uncompiled(L, op->host);
  lua_getfield(L, LUA_REGISTRYINDEX, "sluice.functions");
  lua_getfield(L, LUA_REGISTRYINDEX, "sluice.natives");
  lua_call(L, 2, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_run_trusted(slu_host *host, const char *name, const char *text, size_t length) {
  slu_operation op = {.host = host, .name = name, .text = text, .length = length, .result = LUA_NOREF};
  return slu_protect(host, run_trusted, &op) ? op.result : LUA_NOREF;
}

static int call_member(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_getfield(L, -1, op->name);
  lua_pushstring(L, op->first);
  lua_pushstring(L, op->second);
  lua_call(L, 2, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_call_member(slu_host *host, int32_t table, const char *member, const char *first,
                             const char *second) {
  slu_operation op = {.host = host, .reference = table, .name = member, .first = first, .second = second,
                      .result = LUA_NOREF};
  return slu_protect(host, call_member, &op) ? op.result : LUA_NOREF;
}

static int load_chunk(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, op->text, op->length, op->name, "t") != 0) return lua_error(L);
  if (!op->is_trusted) slu_leave_uncompiled(L, op->host);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_setfenv(L, -2);
  op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_load(slu_host *host, int32_t environment, const char *name, const char *text, size_t length,
                      bool is_trusted) {
  slu_operation op = {.host = host, .reference = environment, .name = name, .text = text, .length = length,
                      .result = LUA_NOREF, .is_trusted = is_trusted};
  return slu_protect(host, load_chunk, &op) ? op.result : LUA_NOREF;
}

static int function_member(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  if (!lua_istable(L, -1)) return 0;
  lua_pushstring(L, op->name);
  lua_rawget(L, -2);
  if (lua_isfunction(L, -1)) op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_function_member(slu_host *host, int32_t table, const char *member) {
  slu_operation op = {.host = host, .reference = table, .name = member, .result = LUA_NOREF};
  return slu_protect(host, function_member, &op) ? op.result : LUA_NOREF;
}

static int keep_result(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  if (slu_results_push(L, &op->host->call) == 0) return 0;
  lua_settop(L, 2);
  op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_keep_result(slu_host *host) {
  slu_operation op = {.host = host, .result = LUA_NOREF};
  return slu_protect(host, keep_result, &op) ? op.result : LUA_NOREF;
}

static int call_with_result(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_getfield(L, -1, op->name);
  lua_pushstring(L, op->first);
  lua_pushstring(L, op->second);
  int count = slu_results_push(L, &op->host->call);
  lua_call(L, 2 + count, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_call_with_result(slu_host *host, int32_t table, const char *member, const char *first,
                                  const char *second) {
  slu_operation op = {.host = host, .reference = table, .name = member, .first = first, .second = second,
                      .result = LUA_NOREF};
  return slu_protect(host, call_with_result, &op) ? op.result : LUA_NOREF;
}

void slu_host_release(slu_host *host, int32_t reference) {
  // Only writes numbers into slots that exist: cannot raise.
  if (reference >= 0) luaL_unref(host->state, LUA_REGISTRYINDEX, reference);
}

static int read_shared(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_pushliteral(L, "shared");
  lua_rawget(L, -2);
  if (!lua_istable(L, -1)) return 0;
  if (op->name) {
    lua_pushstring(L, op->name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) return 0;
  }
  op->host->call.node_count = 0;
  slu_tree_read(L, lua_gettop(L), &op->host->call);
  op->result = 1;
  return 0;
}

bool slu_host_read_shared(slu_host *host, int32_t request_reference, const char *key) {
  if (request_reference == LUA_NOREF) return false;
  slu_operation op = {.host = host, .reference = request_reference, .name = key, .result = 0};
  return slu_protect(host, read_shared, &op) && op.result == 1;
}
