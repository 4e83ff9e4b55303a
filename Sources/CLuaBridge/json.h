// What the two directions of the JSON library and its instances share.
#ifndef SLU_JSON_H
#define SLU_JSON_H

#include <stdlib.h>

#include "internal.h"

#define SLU_ARRAY_METATABLE "sluice.array_mt"
#define SLU_EMPTY_ARRAY_METATABLE "sluice.empty_array_mt"

typedef struct slu_json_settings {
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
} slu_json_settings;

extern const slu_json_settings slu_json_default_settings;

// Address that stands for an empty array.
extern char slu_json_empty_array;
// Text that is being written; also a string that is being read, if it has escapes.
extern __thread slu_buffer slu_json_output;
// Values until the next look at the clock.
extern __thread int slu_json_fuel;

static inline void slu_json_count_value(lua_State *L) {
  if (--slu_json_fuel > 0) return;
  slu_json_fuel = SLU_CHECK_INTERVAL;
  slu_check(L);
}

// Whether the metatable at the top of the stack is the one of that name.
static inline bool slu_has_metatable(lua_State *L, int index, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, name);
  bool is_equal = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  (void)index;
  return is_equal;
}

static inline void slu_json_begin_output(void) {
  slu_json_output.count = 0;
  if (slu_json_output.capacity > (1u << 20)) {
    free(slu_json_output.bytes);
    slu_json_output = (slu_buffer){0};
  }
}

// The settings of the instance that the running function belongs to.
static inline slu_json_settings *slu_json_settings_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

// encode(value) and decode(text) of an instance.
int slu_json_encode_native(lua_State *L);
int slu_json_decode_native(lua_State *L);

#endif
