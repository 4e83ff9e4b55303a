// The JSON library that Lua code knows as cjson, with the array metatables of OpenResty's branch.
//
// Every environment gets its own instance with its own settings, so that one plugin's settings do not touch another.
#include <string.h>

#include "json.h"

const slu_json_settings slu_json_default_settings = {
    .encode_depth = 1000,
    .decode_depth = 1000,
    .precision = 14,
    .sparse_ratio = 2,
    .sparse_safe = 32768,
    .empty_table_as_object = true,
    .decode_invalid = true,
};

char slu_json_empty_array;
__thread slu_buffer slu_json_output;
__thread int slu_json_fuel;

// MARK: Arrays

void slu_push_array_metatable(lua_State *L) { lua_getfield(L, LUA_REGISTRYINDEX, SLU_ARRAY_METATABLE); }

bool slu_is_array(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  bool is_array = slu_has_metatable(L, index, SLU_ARRAY_METATABLE) ||
                  slu_has_metatable(L, index, SLU_EMPTY_ARRAY_METATABLE);
  lua_pop(L, 1);
  return is_array;
}

// MARK: Instances

static int set_integer(lua_State *L, int *setting, int minimum, int maximum) {
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer value = luaL_checkinteger(L, 1);
    luaL_argcheck(L, value >= minimum && value <= maximum, 1, "out of range");
    *setting = (int)value;
  }
  lua_pushinteger(L, *setting);
  return 1;
}

static int set_boolean(lua_State *L, bool *setting) {
  if (!lua_isnoneornil(L, 1)) {
    if (lua_type(L, 1) == LUA_TSTRING) {
      *setting = strcmp(lua_tostring(L, 1), "on") == 0;
    } else {
      luaL_checktype(L, 1, LUA_TBOOLEAN);
      *setting = lua_toboolean(L, 1);
    }
  }
  lua_pushboolean(L, *setting);
  return 1;
}

static int encode_max_depth(lua_State *L) { return set_integer(L, &slu_json_settings_of(L)->encode_depth, 1, 1000); }
static int decode_max_depth(lua_State *L) { return set_integer(L, &slu_json_settings_of(L)->decode_depth, 1, 1000); }
static int encode_number_precision(lua_State *L) { return set_integer(L, &slu_json_settings_of(L)->precision, 1, 16); }
static int decode_array_with_array_mt(lua_State *L) {
  return set_boolean(L, &slu_json_settings_of(L)->decode_array_metatable);
}
static int encode_empty_table_as_object(lua_State *L) {
  return set_boolean(L, &slu_json_settings_of(L)->empty_table_as_object);
}
static int encode_escape_forward_slash(lua_State *L) { return set_boolean(L, &slu_json_settings_of(L)->escape_slash); }
static int decode_invalid_numbers(lua_State *L) { return set_boolean(L, &slu_json_settings_of(L)->decode_invalid); }

static int encode_keep_buffer(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

static int encode_invalid_numbers(lua_State *L) {
  slu_json_settings *settings = slu_json_settings_of(L);
  if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, 1), "null") == 0) {
    settings->encode_invalid = 2;
  } else if (!lua_isnoneornil(L, 1)) {
    settings->encode_invalid = lua_toboolean(L, 1) ? 1 : 0;
  }
  if (settings->encode_invalid == 2) {
    lua_pushliteral(L, "null");
  } else {
    lua_pushboolean(L, settings->encode_invalid);
  }
  return 1;
}

static int encode_sparse_array(lua_State *L) {
  slu_json_settings *settings = slu_json_settings_of(L);
  if (!lua_isnoneornil(L, 1)) settings->sparse_convert = lua_toboolean(L, 1);
  if (!lua_isnoneornil(L, 2)) settings->sparse_ratio = (int)luaL_checkinteger(L, 2);
  if (!lua_isnoneornil(L, 3)) settings->sparse_safe = (int)luaL_checkinteger(L, 3);
  lua_pushboolean(L, settings->sparse_convert);
  lua_pushinteger(L, settings->sparse_ratio);
  lua_pushinteger(L, settings->sparse_safe);
  return 3;
}

static const luaL_Reg json_functions[] = {
    {"encode", slu_json_encode_native},
    {"decode", slu_json_decode_native},
    {"encode_max_depth", encode_max_depth},
    {"decode_max_depth", decode_max_depth},
    {"encode_number_precision", encode_number_precision},
    {"encode_keep_buffer", encode_keep_buffer},
    {"encode_invalid_numbers", encode_invalid_numbers},
    {"decode_invalid_numbers", decode_invalid_numbers},
    {"encode_sparse_array", encode_sparse_array},
    {"decode_array_with_array_mt", decode_array_with_array_mt},
    {"encode_empty_table_as_object", encode_empty_table_as_object},
    {"encode_escape_forward_slash", encode_escape_forward_slash},
    {NULL, NULL},
};

// new_json(with_metatables): a table of functions that share settings.
int slu_json_new_instance(lua_State *L) {
  bool with_metatables = lua_toboolean(L, 1);
  lua_newtable(L);
  slu_json_settings *settings = lua_newuserdata(L, sizeof *settings);
  *settings = slu_json_default_settings;
  for (const luaL_Reg *function = json_functions; function->name != NULL; function++) {
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, function->func, 1);
    lua_setfield(L, -3, function->name);
  }
  lua_pop(L, 1);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushlightuserdata(L, &slu_json_empty_array);
  lua_setfield(L, -2, "empty_array");
  lua_pushliteral(L, "cjson");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "2.1.0.11");
  lua_setfield(L, -2, "_VERSION");
  if (with_metatables) {
    // Shared by the whole state: for code that is trusted.
    lua_getfield(L, LUA_REGISTRYINDEX, SLU_ARRAY_METATABLE);
    lua_setfield(L, -2, "array_mt");
    lua_getfield(L, LUA_REGISTRYINDEX, SLU_EMPTY_ARRAY_METATABLE);
    lua_setfield(L, -2, "empty_array_mt");
  }
  return 1;
}

void slu_json_setup(lua_State *L) {
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, SLU_ARRAY_METATABLE);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, SLU_EMPTY_ARRAY_METATABLE);
}
