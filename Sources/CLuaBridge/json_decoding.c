// The JSON library: how text is read.
#include <stdlib.h>
#include <string.h>

#include "json.h"

typedef struct json_reader {
  const char *text;
  size_t length;
  size_t place;
  int depth;
  const slu_json_settings *settings;
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
  slu_buffer_append(&slu_json_output, bytes, count);
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
  slu_json_output.count = 0;
  slu_buffer_append(&slu_json_output, reader->text + start, reader->place - start);
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
      slu_buffer_append(&slu_json_output, &byte, 1);
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
    slu_buffer_append(&slu_json_output, &byte, 1);
  }
  lua_pushlstring(L, slu_json_output.bytes, slu_json_output.count);
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
  slu_json_count_value(L);
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

int slu_json_decode_native(lua_State *L) {
  json_reader reader = {.settings = slu_json_settings_of(L)};
  reader.text = luaL_checklstring(L, 1, &reader.length);
  lua_settop(L, 1);
  slu_json_begin_output();
  read_value(L, &reader);
  skip_space(&reader);
  if (reader.place < reader.length) refuse(L, &reader, "the end");
  return 1;
}
