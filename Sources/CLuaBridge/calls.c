// Calls of host functions from Lua: their arguments, their ends, and the places that errors name.
#include <stdio.h>
#include <string.h>

#include "internal.h"

// MARK: Positions

static bool is_prelude(const lua_Debug *record) {
  return record->source != NULL && strcmp(record->source, SLU_PRELUDE_SOURCE) == 0;
}

// The nearest Lua code of a plugin above the running C function.
static bool find_caller(lua_State *L, lua_Debug *record) {
  for (int level = 1; level < 16 && lua_getstack(L, level, record); level++) {
    lua_getinfo(L, "Sl", record);
    if (record->currentline > 0 && !is_prelude(record)) return true;
  }
  return false;
}

void slu_note_place(lua_State *L, slu_host *host) {
  lua_Debug record;
  if (host->abort_line != 0) return;
  for (int level = 0; level < 16 && lua_getstack(L, level, &record); level++) {
    lua_getinfo(L, "Sl", &record);
    if (record.currentline <= 0 || is_prelude(&record)) continue;
    host->abort_line = record.currentline;
    snprintf(host->abort_source, sizeof host->abort_source, "%s", record.short_src);
    return;
  }
}

int slu_raise(lua_State *L) {
  lua_Debug record;
  if (lua_type(L, -1) == LUA_TSTRING && find_caller(L, &record)) {
    lua_pushfstring(L, "%s:%d: ", record.short_src, record.currentline);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

// MARK: Calls from Lua

static void reserve_arguments(slu_call *call, int count) {
  if (count <= call->argument_capacity) return;
  call->argument_capacity = count + 16;
  call->arguments = slu_grow(call->arguments, (size_t)call->argument_capacity * sizeof(slu_value));
}

static void make_text(lua_State *L, int index) {
  if (luaL_callmeta(L, index, "__tostring") && lua_type(L, -1) == LUA_TSTRING) {
    lua_replace(L, index);
    return;
  }
  switch (lua_type(L, index)) {
    case LUA_TNIL: lua_pushliteral(L, "nil"); break;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER:
      lua_pushvalue(L, index);
      lua_tolstring(L, -1, NULL);
      break;
    case LUA_TSTRING: return;
    default:
      if (lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL) {
        lua_pushliteral(L, "userdata: NULL");
      } else {
        lua_pushfstring(L, "%s: %p", lua_typename(L, lua_type(L, index)), lua_topointer(L, index));
      }
  }
  lua_replace(L, index);
}

static void read_argument(lua_State *L, int index, const slu_function *function, slu_call *call) {
  slu_value *value = &call->arguments[index - 1];
  value->flags = 0;
  switch (lua_type(L, index)) {
    case LUA_TNIL: value->kind = SLU_NIL; return;
    case LUA_TBOOLEAN: value->kind = lua_toboolean(L, index) ? SLU_TRUE : SLU_FALSE; return;
    case LUA_TNUMBER:
      value->kind = SLU_NUMBER;
      value->number = lua_tonumber(L, index);
      return;
    case LUA_TSTRING:
      value->kind = SLU_STRING;
      value->bytes = lua_tolstring(L, index, &value->length);
      return;
    case LUA_TTABLE:
      if (index <= 8 && function->wants & ((uint32_t)SLU_WANTS_JSON_ARGUMENT << (index - 1))) {
        value->kind = SLU_STRING;
        value->flags = SLU_FLAG_JSON;
        // The text takes the table's place, so that Lua owns it; another argument may be encoded after it.
        const char *text = slu_json_encode(L, index, &value->length);
        lua_pushlstring(L, text, value->length);
        lua_replace(L, index);
        value->bytes = lua_tolstring(L, index, &value->length);
        return;
      }
      value->kind = SLU_TABLE;
      value->count = 0;
      value->offset = SLU_NO_TREE;
      value->bytes = "table";
      value->length = 5;
      if (function->wants & SLU_WANTS_TABLES) {
        size_t offset = call->node_count;
        slu_tree_read(L, index, call);
        value->offset = offset;
        value->count = call->nodes[offset].count;
        value->flags = call->nodes[offset].flags;
      }
      return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        value->kind = SLU_NULL;
        return;
      }
    // fall through
    default:
      value->kind = SLU_OTHER;
      value->bytes = lua_typename(L, lua_type(L, index));
      value->length = strlen(value->bytes);
  }
}

// Ends the phase: by yielding for good where that is possible, else by an error that cannot be caught.
static int leave(lua_State *L, slu_host *host) {
  host->exiting = true;
  if (L == host->running.state && lua_isyieldable(L)) return lua_yield(L, 0);
  slu_abort(host, SLU_ABORT_EXIT);
  return luaL_error(L, "phase ended");
}

int slu_call_function(lua_State *L) {
  const slu_function *function = lua_touserdata(L, lua_upvalueindex(1));
  slu_host *host = function->host;
  slu_call *call = &host->call;
  slu_check_stack(L);
  if (function->phases != 0 && (function->phases & (1u << host->phase)) == 0) {
    lua_pushfstring(L, "function cannot be called in %s phase (only in: %s)", host->phase_name,
                    function->phase_names);
    return slu_raise(L);
  }
  int count = lua_gettop(L);
  reserve_arguments(call, count);
  call->node_count = 0;
  for (int index = 1; index <= count; index++) {
    if (function->wants & SLU_WANTS_TEXT) make_text(L, index);
    read_argument(L, index, function, call);
  }
  call->argument_count = count;
  slu_clear_results(call);
  if (function->wants & SLU_WANTS_POSITION) {
    lua_Debug record;
    call->line = 0;
    call->source[0] = 0;
    if (find_caller(L, &record)) {
      call->line = record.currentline;
      snprintf(call->source, sizeof call->source, "%s", record.short_src);
    }
  }
  int32_t status = host->callback(host->context, function->index, call);
  switch (status) {
    case SLU_RETURN: return slu_results_push(L, call);
    case SLU_RAISE:
      slu_results_push(L, call);
      return slu_raise(L);
    case SLU_RAISE_PLAIN:
      slu_results_push(L, call);
      return lua_error(L);
    case SLU_SUSPEND:
      if (!lua_isyieldable(L)) {
        lua_pushliteral(L, "attempt to yield across C-call boundary");
        return slu_raise(L);
      }
      host->suspended = true;
      return lua_yield(L, 0);
    default: return leave(L, host);
  }
}
