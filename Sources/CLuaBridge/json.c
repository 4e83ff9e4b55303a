// The JSON library that Lua code knows as cjson, with the array metatables of OpenResty's branch.
//
// Every environment gets its own instance with its own settings, so that one plugin's settings do not touch another.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ARRAY_METATABLE "sluice.array_mt"
#define EMPTY_ARRAY_METATABLE "sluice.empty_array_mt"
#define MAXIMUM_OUTPUT (64u << 20)

typedef struct json_settings {
  int encode_depth;
  int decode_depth;
  int precision;
  int sparse_ratio;
  int sparse_safe;
  bool sparse_convert;
  bool decode_array_metatable;
  bool empty_table_as_object;
  bool escape_slash;
  // 0 refuse, 1 allow, 2 null.
  int encode_invalid;
  bool decode_invalid;
} json_settings;

static const json_settings default_settings = {
    .encode_depth = 1000,
    .decode_depth = 1000,
    .precision = 14,
    .sparse_ratio = 2,
    .sparse_safe = 32768,
    .empty_table_as_object = true,
    .decode_invalid = true,
};

// Address that stands for an empty array.
static char empty_array;
static __thread slu_buffer output;
// Values until the next look at the clock.
static __thread int fuel;

static inline void count_value(lua_State *L) {
  if (--fuel > 0) return;
  fuel = SLU_CHECK_INTERVAL;
  slu_check(L);
}

void slu_push_array_metatable(lua_State *L) { lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_METATABLE); }

static bool has_metatable(lua_State *L, int index, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, name);
  bool is_equal = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  (void)index;
  return is_equal;
}

bool slu_is_array(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  bool is_array = has_metatable(L, index, ARRAY_METATABLE) || has_metatable(L, index, EMPTY_ARRAY_METATABLE);
  lua_pop(L, 1);
  return is_array;
}

// MARK: Encoding

static void append(lua_State *L, const char *bytes, size_t length) {
  if (output.count + length > MAXIMUM_OUTPUT) luaL_error(L, "Cannot serialise: the text is too long");
  slu_buffer_append(&output, bytes, length);
}

static void append_text(lua_State *L, const char *text) { append(L, text, strlen(text)); }

static void append_string(lua_State *L, int index, const json_settings *settings) {
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

static void append_number(lua_State *L, double number, const json_settings *settings) {
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
static long list_length(lua_State *L, int index, const json_settings *settings) {
  double maximum = 0;
  long items = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    count_value(L);
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

static void append_value(lua_State *L, int index, const json_settings *settings, int depth);

static void append_list(lua_State *L, int index, long length, const json_settings *settings, int depth) {
  append(L, "[", 1);
  for (long item = 1; item <= length; item++) {
    if (item > 1) append(L, ",", 1);
    lua_rawgeti(L, index, (int)item);
    append_value(L, lua_gettop(L), settings, depth);
    lua_pop(L, 1);
  }
  append(L, "]", 1);
}

static void append_table(lua_State *L, int index, const json_settings *settings, int depth) {
  if (depth > settings->encode_depth) luaL_error(L, "Cannot serialise, excessive depth (%d)", depth);
  luaL_checkstack(L, 8, "Cannot serialise, excessive depth");
  slu_check_stack(L);
  if (lua_getmetatable(L, index)) {
    bool is_array = has_metatable(L, index, ARRAY_METATABLE);
    bool is_empty_array = !is_array && has_metatable(L, index, EMPTY_ARRAY_METATABLE);
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

static void append_value(lua_State *L, int index, const json_settings *settings, int depth) {
  count_value(L);
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
      if (lua_touserdata(L, index) == &empty_array) {
        append_text(L, "[]");
        break;
      }
    // fall through
    default: luaL_error(L, "Cannot serialise %s: type not supported", luaL_typename(L, index));
  }
}

static void begin_output(void) {
  output.count = 0;
  if (output.capacity > (1u << 20)) {
    free(output.bytes);
    output = (slu_buffer){0};
  }
}

void slu_json_release(void) {
  if (output.capacity > (1u << 20)) begin_output();
}

const char *slu_json_encode(lua_State *L, int index, size_t *length) {
  begin_output();
  append_value(L, index, &default_settings, 0);
  *length = output.count;
  return output.bytes;
}

static json_settings *settings_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

static int json_encode(lua_State *L) {
  if (lua_gettop(L) != 1) luaL_argerror(L, 1, "expected 1 argument");
  begin_output();
  append_value(L, 1, settings_of(L), 0);
  lua_pushlstring(L, output.bytes, output.count);
  return 1;
}

// MARK: Decoding

typedef struct json_reader {
  const char *text;
  size_t length;
  size_t place;
  int depth;
  const json_settings *settings;
} json_reader;

static void skip_space(json_reader *reader) {
  while (reader->place < reader->length) {
    char byte = reader->text[reader->place];
    if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') return;
    reader->place++;
  }
}

static const char *token_name(const json_reader *reader) {
  if (reader->place >= reader->length) return "T_END";
  switch (reader->text[reader->place]) {
    case '{': return "T_OBJ_BEGIN";
    case '}': return "T_OBJ_END";
    case '[': return "T_ARR_BEGIN";
    case ']': return "T_ARR_END";
    case ',': return "T_COMMA";
    case ':': return "T_COLON";
    case '"': return "T_STRING";
    case 't':
    case 'f': return "T_BOOLEAN";
    case 'n': return "T_NULL";
    default:
      if (reader->text[reader->place] == '-' ||
          (reader->text[reader->place] >= '0' && reader->text[reader->place] <= '9'))
        return "T_NUMBER";
      return "invalid token";
  }
}

static void refuse(lua_State *L, const json_reader *reader, const char *expected) {
  luaL_error(L, "Expected %s but found %s at character %d", expected, token_name(reader), (int)reader->place + 1);
}

static int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

static long read_unit(const json_reader *reader, size_t place) {
  if (place + 4 > reader->length) return -1;
  long unit = 0;
  for (size_t digit = 0; digit < 4; digit++) {
    int value = hexadecimal(reader->text[place + digit]);
    if (value < 0) return -1;
    unit = unit * 16 + value;
  }
  return unit;
}

static void append_code_point(long code) {
  char bytes[4];
  size_t count;
  if (code < 0x80) {
    bytes[0] = (char)code;
    count = 1;
  } else if (code < 0x800) {
    bytes[0] = (char)(0xC0 | (code >> 6));
    bytes[1] = (char)(0x80 | (code & 0x3F));
    count = 2;
  } else if (code < 0x10000) {
    bytes[0] = (char)(0xE0 | (code >> 12));
    bytes[1] = (char)(0x80 | ((code >> 6) & 0x3F));
    bytes[2] = (char)(0x80 | (code & 0x3F));
    count = 3;
  } else {
    bytes[0] = (char)(0xF0 | (code >> 18));
    bytes[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    bytes[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    bytes[3] = (char)(0x80 | (code & 0x3F));
    count = 4;
  }
  slu_buffer_append(&output, bytes, count);
}

// Pushes the string that begins at the reader's quotation mark.
static void read_string(lua_State *L, json_reader *reader) {
  size_t start = ++reader->place;
  while (reader->place < reader->length && reader->text[reader->place] != '"' && reader->text[reader->place] != '\\' &&
         (unsigned char)reader->text[reader->place] >= 0x20)
    reader->place++;
  if (reader->place < reader->length && reader->text[reader->place] == '"') {
    lua_pushlstring(L, reader->text + start, reader->place - start);
    reader->place++;
    return;
  }
  output.count = 0;
  slu_buffer_append(&output, reader->text + start, reader->place - start);
  for (;;) {
    if (reader->place >= reader->length) {
      luaL_error(L, "Expected value but found unexpected end of string at character %d", (int)reader->place + 1);
    }
    char byte = reader->text[reader->place++];
    if (byte == '"') break;
    if ((unsigned char)byte < 0x20) {
      luaL_error(L, "Expected value but found invalid token at character %d", (int)reader->place);
    }
    if (byte != '\\') {
      slu_buffer_append(&output, &byte, 1);
      continue;
    }
    byte = reader->place < reader->length ? reader->text[reader->place++] : 0;
    switch (byte) {
      case '"':
      case '\\':
      case '/': break;
      case 'b': byte = '\b'; break;
      case 'f': byte = '\f'; break;
      case 'n': byte = '\n'; break;
      case 'r': byte = '\r'; break;
      case 't': byte = '\t'; break;
      case 'u': {
        long code = read_unit(reader, reader->place);
        reader->place += 4;
        if (code >= 0xD800 && code < 0xDC00) {
          long low = -1;
          if (reader->place + 1 < reader->length && reader->text[reader->place] == '\\' &&
              reader->text[reader->place + 1] == 'u')
            low = read_unit(reader, reader->place + 2);
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            reader->place += 6;
          } else {
            code = -1;
          }
        } else if (code >= 0xDC00 && code < 0xE000) {
          code = -1;
        }
        if (code < 0) {
          luaL_error(L, "Expected value but found invalid unicode escape code at character %d", (int)reader->place - 5);
        }
        append_code_point(code);
        continue;
      }
      default:
        luaL_error(L, "Expected value but found invalid escape code at character %d", (int)reader->place - 1);
    }
    slu_buffer_append(&output, &byte, 1);
  }
  lua_pushlstring(L, output.bytes, output.count);
}

static void read_number(lua_State *L, json_reader *reader) {
  char text[64];
  size_t start = reader->place;
  size_t end = start;
  while (end < reader->length && strchr("+-.0123456789eE", reader->text[end]) != NULL && reader->text[end] != 0) end++;
  size_t count = end - start;
  char *stop = NULL;
  double number = 0;
  if (count > 0 && count < sizeof text) {
    memcpy(text, reader->text + start, count);
    text[count] = 0;
    number = strtod(text, &stop);
  }
  if (stop == NULL || stop != text + count) {
    luaL_error(L, "Expected value but found invalid number at character %d", (int)start + 1);
  }
  reader->place = end;
  lua_pushnumber(L, number);
}

static void read_value(lua_State *L, json_reader *reader);

static void enter(lua_State *L, json_reader *reader) {
  if (++reader->depth > reader->settings->decode_depth) {
    luaL_error(L, "Found too many nested data structures (%d) at character %d", reader->depth, (int)reader->place + 1);
  }
  luaL_checkstack(L, 8, "Found too many nested data structures");
  slu_check_stack(L);
  reader->place++;
}

static void read_object(lua_State *L, json_reader *reader) {
  enter(L, reader);
  lua_newtable(L);
  skip_space(reader);
  if (reader->place < reader->length && reader->text[reader->place] == '}') {
    reader->place++;
    reader->depth--;
    return;
  }
  for (;;) {
    skip_space(reader);
    if (reader->place >= reader->length || reader->text[reader->place] != '"') refuse(L, reader, "object key string");
    read_string(L, reader);
    skip_space(reader);
    if (reader->place >= reader->length || reader->text[reader->place] != ':') refuse(L, reader, "colon");
    reader->place++;
    read_value(L, reader);
    lua_rawset(L, -3);
    skip_space(reader);
    if (reader->place < reader->length && reader->text[reader->place] == '}') break;
    if (reader->place >= reader->length || reader->text[reader->place] != ',') refuse(L, reader, "comma or object end");
    reader->place++;
  }
  reader->place++;
  reader->depth--;
}

static void read_list(lua_State *L, json_reader *reader) {
  enter(L, reader);
  lua_newtable(L);
  if (reader->settings->decode_array_metatable) {
    slu_push_array_metatable(L);
    lua_setmetatable(L, -2);
  }
  skip_space(reader);
  if (reader->place < reader->length && reader->text[reader->place] == ']') {
    reader->place++;
    reader->depth--;
    return;
  }
  for (int item = 1;; item++) {
    read_value(L, reader);
    lua_rawseti(L, -2, item);
    skip_space(reader);
    if (reader->place < reader->length && reader->text[reader->place] == ']') break;
    if (reader->place >= reader->length || reader->text[reader->place] != ',') refuse(L, reader, "comma or array end");
    reader->place++;
  }
  reader->place++;
  reader->depth--;
}

static bool take_word(json_reader *reader, const char *word) {
  size_t count = strlen(word);
  if (reader->place + count > reader->length || memcmp(reader->text + reader->place, word, count) != 0) return false;
  reader->place += count;
  return true;
}

static void read_value(lua_State *L, json_reader *reader) {
  count_value(L);
  skip_space(reader);
  if (reader->place >= reader->length) refuse(L, reader, "value");
  switch (reader->text[reader->place]) {
    case '{': read_object(L, reader); return;
    case '[': read_list(L, reader); return;
    case '"': read_string(L, reader); return;
    case 't':
      if (take_word(reader, "true")) {
        lua_pushboolean(L, 1);
        return;
      }
      break;
    case 'f':
      if (take_word(reader, "false")) {
        lua_pushboolean(L, 0);
        return;
      }
      break;
    case 'n':
      if (take_word(reader, "null")) {
        lua_pushlightuserdata(L, NULL);
        return;
      }
      break;
    case '-':
    case '0' ... '9': read_number(L, reader); return;
    case '}':
    case ']':
    case ',':
    case ':': refuse(L, reader, "value");
    default: break;
  }
  luaL_error(L, "Expected value but found invalid token at character %d", (int)reader->place + 1);
}

static int json_decode(lua_State *L) {
  json_reader reader = {.settings = settings_of(L)};
  reader.text = luaL_checklstring(L, 1, &reader.length);
  lua_settop(L, 1);
  begin_output();
  read_value(L, &reader);
  skip_space(&reader);
  if (reader.place < reader.length) refuse(L, &reader, "the end");
  return 1;
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

static int encode_max_depth(lua_State *L) { return set_integer(L, &settings_of(L)->encode_depth, 1, 1000); }
static int decode_max_depth(lua_State *L) { return set_integer(L, &settings_of(L)->decode_depth, 1, 1000); }
static int encode_number_precision(lua_State *L) { return set_integer(L, &settings_of(L)->precision, 1, 16); }
static int decode_array_with_array_mt(lua_State *L) { return set_boolean(L, &settings_of(L)->decode_array_metatable); }
static int encode_empty_table_as_object(lua_State *L) { return set_boolean(L, &settings_of(L)->empty_table_as_object); }
static int encode_escape_forward_slash(lua_State *L) { return set_boolean(L, &settings_of(L)->escape_slash); }
static int decode_invalid_numbers(lua_State *L) { return set_boolean(L, &settings_of(L)->decode_invalid); }

static int encode_keep_buffer(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

static int encode_invalid_numbers(lua_State *L) {
  json_settings *settings = settings_of(L);
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
  json_settings *settings = settings_of(L);
  if (!lua_isnoneornil(L, 1)) settings->sparse_convert = lua_toboolean(L, 1);
  if (!lua_isnoneornil(L, 2)) settings->sparse_ratio = (int)luaL_checkinteger(L, 2);
  if (!lua_isnoneornil(L, 3)) settings->sparse_safe = (int)luaL_checkinteger(L, 3);
  lua_pushboolean(L, settings->sparse_convert);
  lua_pushinteger(L, settings->sparse_ratio);
  lua_pushinteger(L, settings->sparse_safe);
  return 3;
}

static const luaL_Reg json_functions[] = {
    {"encode", json_encode},
    {"decode", json_decode},
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
  json_settings *settings = lua_newuserdata(L, sizeof *settings);
  *settings = default_settings;
  for (const luaL_Reg *function = json_functions; function->name != NULL; function++) {
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, function->func, 1);
    lua_setfield(L, -3, function->name);
  }
  lua_pop(L, 1);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushlightuserdata(L, &empty_array);
  lua_setfield(L, -2, "empty_array");
  lua_pushliteral(L, "cjson");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "2.1.0.11");
  lua_setfield(L, -2, "_VERSION");
  if (with_metatables) {
    // Shared by the whole state: for code that is trusted.
    lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_METATABLE);
    lua_setfield(L, -2, "array_mt");
    lua_getfield(L, LUA_REGISTRYINDEX, EMPTY_ARRAY_METATABLE);
    lua_setfield(L, -2, "empty_array_mt");
  }
  return 1;
}

void slu_json_setup(lua_State *L) {
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, ARRAY_METATABLE);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, EMPTY_ARRAY_METATABLE);
}
