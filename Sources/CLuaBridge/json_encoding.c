// The JSON library: how Lua values are written.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

#define MAXIMUM_OUTPUT (64u << 20)

static void append(lua_State *L, const char *bytes, size_t length) {
  if (slu_json_output.count + length > MAXIMUM_OUTPUT) luaL_error(L, "Cannot serialise: the text is too long");
  slu_buffer_append(&slu_json_output, bytes, length);
}

static void append_text(lua_State *L, const char *text) { append(L, text, strlen(text)); }

static void append_string(lua_State *L, int index, const slu_json_settings *settings) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  append(L, "\"", 1);
  size_t start = 0;
  for (size_t place = 0; place < length; place++) {
    unsigned char byte = (unsigned char)text[place];
    char escape[8];
    switch (byte) {
      case '"': strcpy(escape, "\\\""); break;
      case '\\': strcpy(escape, "\\\\"); break;
      case '\b': strcpy(escape, "\\b"); break;
      case '\f': strcpy(escape, "\\f"); break;
      case '\n': strcpy(escape, "\\n"); break;
      case '\r': strcpy(escape, "\\r"); break;
      case '\t': strcpy(escape, "\\t"); break;
      case '/':
        if (!settings->escape_slash) continue;
        strcpy(escape, "\\/");
        break;
      default:
        if (byte >= 0x20 && byte != 0x7f) continue;
        snprintf(escape, sizeof escape, "\\u%04x", byte);
    }
    append(L, text + start, place - start);
    append_text(L, escape);
    start = place + 1;
  }
  append(L, text + start, length - start);
  append(L, "\"", 1);
}

static void append_number(lua_State *L, double number, const slu_json_settings *settings) {
  if (isnan(number) || isinf(number)) {
    if (settings->encode_invalid == 2) {
      append_text(L, "null");
      return;
    }
    if (settings->encode_invalid == 0) luaL_error(L, "Cannot serialise number: must not be NaN or Infinity");
    append_text(L, isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
    return;
  }
  char text[40];
  int length = snprintf(text, sizeof text, "%.*g", settings->precision, number);
  append(L, text, (size_t)length);
}

// Length of a table that is a list; -1 for an object.
static long list_length(lua_State *L, int index, const slu_json_settings *settings) {
  double maximum = 0;
  long items = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    slu_json_count_value(L);
    if (lua_type(L, -2) == LUA_TNUMBER) {
      double key = lua_tonumber(L, -2);
      if (key >= 1 && floor(key) == key && key < 2147483647.0) {
        if (key > maximum) maximum = key;
        items++;
        lua_pop(L, 1);
        continue;
      }
    }
    lua_pop(L, 2);
    return -1;
  }
  if (settings->sparse_ratio > 0 && maximum > (double)items * settings->sparse_ratio &&
      maximum > settings->sparse_safe) {
    if (!settings->sparse_convert) luaL_error(L, "Cannot serialise table: excessively sparse array");
    return -1;
  }
  return (long)maximum;
}

static void append_value(lua_State *L, int index, const slu_json_settings *settings, int depth);

static void append_list(lua_State *L, int index, long length, const slu_json_settings *settings, int depth) {
  append(L, "[", 1);
  for (long item = 1; item <= length; item++) {
    if (item > 1) append(L, ",", 1);
    lua_rawgeti(L, index, (int)item);
    append_value(L, lua_gettop(L), settings, depth);
    lua_pop(L, 1);
  }
  append(L, "]", 1);
}

static void append_table(lua_State *L, int index, const slu_json_settings *settings, int depth) {
  if (depth > settings->encode_depth) luaL_error(L, "Cannot serialise, excessive depth (%d)", depth);
  luaL_checkstack(L, 8, "Cannot serialise, excessive depth");
  slu_check_stack(L);
  if (lua_getmetatable(L, index)) {
    bool is_array = slu_has_metatable(L, index, SLU_ARRAY_METATABLE);
    bool is_empty_array = !is_array && slu_has_metatable(L, index, SLU_EMPTY_ARRAY_METATABLE);
    lua_pop(L, 1);
    if (is_array || (is_empty_array && lua_objlen(L, index) == 0)) {
      append_list(L, index, (long)lua_objlen(L, index), settings, depth);
      return;
    }
  }
  long length = list_length(L, index, settings);
  if (length > 0 || (length == 0 && !settings->empty_table_as_object)) {
    append_list(L, index, length, settings, depth);
    return;
  }
  append(L, "{", 1);
  bool is_first = true;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    int top = lua_gettop(L);
    if (!is_first) append(L, ",", 1);
    is_first = false;
    switch (lua_type(L, top - 1)) {
      case LUA_TSTRING: append_string(L, top - 1, settings); break;
      case LUA_TNUMBER:
        append(L, "\"", 1);
        append_number(L, lua_tonumber(L, top - 1), settings);
        append(L, "\"", 1);
        break;
      default: luaL_error(L, "Cannot serialise %s: table key must be a number or string", luaL_typename(L, top - 1));
    }
    append(L, ":", 1);
    append_value(L, top, settings, depth);
    lua_settop(L, top - 1);
  }
  append(L, "}", 1);
}

static void append_value(lua_State *L, int index, const slu_json_settings *settings, int depth) {
  slu_json_count_value(L);
  switch (lua_type(L, index)) {
    case LUA_TNIL: append_text(L, "null"); break;
    case LUA_TBOOLEAN: append_text(L, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER: append_number(L, lua_tonumber(L, index), settings); break;
    case LUA_TSTRING: append_string(L, index, settings); break;
    case LUA_TTABLE: append_table(L, index, settings, depth + 1); break;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        append_text(L, "null");
        break;
      }
      if (lua_touserdata(L, index) == &slu_json_empty_array) {
        append_text(L, "[]");
        break;
      }
    // fall through
    default: luaL_error(L, "Cannot serialise %s: type not supported", luaL_typename(L, index));
  }
}

void slu_json_release(void) {
  if (slu_json_output.capacity > (1u << 20)) slu_json_begin_output();
}

const char *slu_json_encode(lua_State *L, int index, size_t *length) {
  slu_json_begin_output();
  append_value(L, index, &slu_json_default_settings, 0);
  *length = slu_json_output.count;
  return slu_json_output.bytes;
}

int slu_json_encode_native(lua_State *L) {
  if (lua_gettop(L) != 1) luaL_argerror(L, 1, "expected 1 argument");
  slu_json_begin_output();
  append_value(L, 1, slu_json_settings_of(L), 0);
  lua_pushlstring(L, slu_json_output.bytes, slu_json_output.count);
  return 1;
}
