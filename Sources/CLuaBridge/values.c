// Values on their way between Lua and Swift: flat trees in memory that belongs to the host.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAXIMUM_DEPTH 64
#define MAXIMUM_NODES 1000000

void *slu_grow(void *memory, size_t size) {
  void *grown = realloc(memory, size);
  // The host cannot go on without these few bytes, as the rest of the process could not.
  if (grown == NULL) abort();
  return grown;
}

void slu_buffer_append(slu_buffer *buffer, const void *bytes, size_t length) {
  if (buffer->count + length > buffer->capacity) {
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 1024;
    while (capacity < buffer->count + length) capacity *= 2;
    buffer->bytes = slu_grow(buffer->bytes, capacity);
    buffer->capacity = capacity;
  }
  memcpy(buffer->bytes + buffer->count, bytes, length);
  buffer->count += length;
}

static slu_value *next_result(slu_call *call, uint8_t kind) {
  if (call->result_count == call->result_capacity) {
    call->result_capacity = call->result_capacity ? call->result_capacity * 2 : 32;
    call->results = slu_grow(call->results, call->result_capacity * sizeof(slu_value));
  }
  slu_value *value = &call->results[call->result_count++];
  memset(value, 0, sizeof *value);
  value->kind = kind;
  return value;
}

void slu_return_nil(slu_call *call) { next_result(call, SLU_NIL); }
void slu_return_null(slu_call *call) { next_result(call, SLU_NULL); }
void slu_return_boolean(slu_call *call, bool value) { next_result(call, value ? SLU_TRUE : SLU_FALSE); }
void slu_return_number(slu_call *call, double number) { next_result(call, SLU_NUMBER)->number = number; }

void slu_return_string(slu_call *call, const void *bytes, size_t length) {
  if (call->byte_count + length > call->byte_capacity) {
    size_t capacity = call->byte_capacity ? call->byte_capacity * 2 : 4096;
    while (capacity < call->byte_count + length) capacity *= 2;
    call->bytes = slu_grow(call->bytes, capacity);
    call->byte_capacity = capacity;
  }
  slu_value *value = next_result(call, SLU_STRING);
  value->offset = call->byte_count;
  value->length = length;
  if (length > 0) memcpy(call->bytes + call->byte_count, bytes, length);
  call->byte_count += length;
}

void slu_return_table(slu_call *call, uint32_t count, uint8_t flags) {
  slu_value *value = next_result(call, SLU_TABLE);
  value->count = count;
  value->flags = flags;
}

void slu_clear_results(slu_call *call) {
  call->result_count = 0;
  call->byte_count = 0;
  // One huge body must not stay for the life of the process.
  if (call->byte_capacity > (1u << 20)) {
    free(call->bytes);
    call->bytes = NULL;
    call->byte_capacity = 0;
  }
}

// MARK: Reading

static slu_value *next_node(lua_State *L, slu_call *call) {
  if (call->node_count % SLU_CHECK_INTERVAL == SLU_CHECK_INTERVAL - 1) slu_check(L);
  if (call->node_count >= MAXIMUM_NODES) luaL_error(L, "table is too large");
  if (call->node_count == call->node_capacity) {
    call->node_capacity = call->node_capacity ? call->node_capacity * 2 : 64;
    call->nodes = slu_grow(call->nodes, call->node_capacity * sizeof(slu_value));
  }
  slu_value *node = &call->nodes[call->node_count++];
  memset(node, 0, sizeof *node);
  return node;
}

static void read_node(lua_State *L, int index, slu_call *call, int depth) {
  slu_value *node = next_node(L, call);
  switch (lua_type(L, index)) {
    case LUA_TNIL: node->kind = SLU_NIL; break;
    case LUA_TBOOLEAN: node->kind = lua_toboolean(L, index) ? SLU_TRUE : SLU_FALSE; break;
    case LUA_TNUMBER:
      node->kind = SLU_NUMBER;
      node->number = lua_tonumber(L, index);
      break;
    case LUA_TSTRING:
      node->kind = SLU_STRING;
      node->bytes = lua_tolstring(L, index, &node->length);
      break;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        node->kind = SLU_NULL;
        break;
      }
      node->kind = SLU_OTHER;
      node->bytes = "userdata";
      node->length = 8;
      break;
    case LUA_TTABLE: {
      if (depth >= MAXIMUM_DEPTH) luaL_error(L, "table is nested too deeply");
      luaL_checkstack(L, 8, "table is nested too deeply");
      node->kind = SLU_TABLE;
      node->flags = slu_is_array(L, index) ? SLU_FLAG_ARRAY_METATABLE : 0;
      uint32_t place = call->node_count - 1;
      uint32_t count = 0;
      lua_pushnil(L);
      while (lua_next(L, index) != 0) {
        int top = lua_gettop(L);
        read_node(L, top - 1, call, depth + 1);
        read_node(L, top, call, depth + 1);
        lua_settop(L, top - 1);
        count++;
      }
      call->nodes[place].count = count;
      break;
    }
    default:
      node->kind = SLU_OTHER;
      node->bytes = lua_typename(L, lua_type(L, index));
      node->length = strlen(node->bytes);
  }
}

void slu_tree_read(lua_State *L, int index, slu_call *call) { read_node(L, index, call, 0); }

// MARK: Pushing

static uint32_t push_value(lua_State *L, const slu_call *call, uint32_t place) {
  const slu_value *value = &call->results[place++];
  switch (value->kind) {
    case SLU_FALSE: lua_pushboolean(L, 0); break;
    case SLU_TRUE: lua_pushboolean(L, 1); break;
    case SLU_NUMBER: lua_pushnumber(L, value->number); break;
    case SLU_STRING: lua_pushlstring(L, value->length ? call->bytes + value->offset : "", value->length); break;
    case SLU_NULL: lua_pushlightuserdata(L, NULL); break;
    case SLU_TABLE: {
      luaL_checkstack(L, 4, "table is nested too deeply");
      uint32_t count = value->count;
      uint8_t flags = value->flags;
      bool is_list = flags & SLU_FLAG_LIST;
      lua_createtable(L, is_list ? (int)count : 0, is_list ? 0 : (int)count);
      for (uint32_t item = 1; item <= count; item++) {
        if (is_list) {
          place = push_value(L, call, place);
          lua_rawseti(L, -2, (int)item);
        } else {
          place = push_value(L, call, place);
          place = push_value(L, call, place);
          lua_rawset(L, -3);
        }
      }
      if (flags & SLU_FLAG_ARRAY_METATABLE) {
        slu_push_array_metatable(L);
        lua_setmetatable(L, -2);
      }
      break;
    }
    default: lua_pushnil(L);
  }
  return place;
}

int slu_results_push(lua_State *L, slu_call *call) {
  uint32_t place = 0;
  int count = 0;
  while (place < call->result_count) {
    luaL_checkstack(L, 4, "too many results");
    place = push_value(L, call, place);
    count++;
  }
  return count;
}

size_t slu_number_text(double number, char *text) { return (size_t)snprintf(text, 32, "%.14g", number); }
