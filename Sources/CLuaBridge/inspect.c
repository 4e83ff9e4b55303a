#define _GNU_SOURCE
#include "LuaInspect.h"

#include "LuaGuard.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Instructions between two looks at the clock.
#define HOOK_INTERVAL 20
#define WALL_CLOCK_FACTOR 4
#define THREAD_STACK_SIZE (8 * 1024 * 1024)
// Bytes of an error message that are kept.
#define MESSAGE_LIMIT 2000

typedef struct {
  // First, because the allocator's context is found as a guard.
  slu_guard guard;
  const lua_inspect_request *request;
  lua_inspect_result result;
  size_t memory_used;
  bool memory_refused;
  bool timed_out;
  // The chunk's time is that of its thread's processor, so that a busy machine stops no innocent chunk; the wall clock
  // has a later deadline of its own.
  uint64_t started;
  uint64_t started_processor;
  // The buffer that becomes result.bytes.
  uint8_t *bytes;
  size_t length;
  size_t capacity;
  uint32_t values;
} inspection;

static uint64_t now_nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// The allocator of the state: counts, and refuses what is over the limit.
static void *allocate(void *context, void *block, size_t old_size, size_t new_size) {
  inspection *self = context;
  if (new_size == 0) {
    free(block);
    self->memory_used -= block ? old_size : 0;
    return NULL;
  }
  size_t before = block ? old_size : 0;
  if (new_size > before && new_size - before > self->request->memory_limit - self->memory_used) {
    self->memory_refused = true;
    return NULL;
  }
  void *moved = realloc(block, new_size);
  if (moved) self->memory_used = self->memory_used - before + new_size;
  return moved;
}

static bool is_time_over(const inspection *self) {
  uint64_t limit = self->request->time_limit_nanoseconds;
  uint64_t elapsed = now_nanoseconds(CLOCK_MONOTONIC) - self->started;
  if (elapsed < limit) return false;
  return elapsed / WALL_CLOCK_FACTOR >= limit ||
         now_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - self->started_processor >= limit;
}

// Stops the chunk once its time is over. From then on the hook fires at every instruction: a pcall that catches the
// error gets no further than the next instruction outside of it.
static void check_time(lua_State *L, lua_Debug *activation) {
  void *context = NULL;
  lua_getallocf(L, &context);
  inspection *self = context;
  if (!self->timed_out) {
    if (!is_time_over(self)) return;
    self->timed_out = true;
    if (lua_getinfo(L, "Sl", activation) && strcmp(activation->source, self->request->chunk_name) == 0) {
      self->result.line = activation->currentline > 0 ? activation->currentline : 0;
    }
    lua_sethook(L, check_time, LUA_MASKCOUNT, 1);
  }
  luaL_error(L, "time limit exceeded");
}

// The check of C code that the chunk calls.
static void check_chunk(lua_State *L, slu_guard *guard) {
  inspection *self = (inspection *)guard;
  lua_Debug activation;
  if (!self->timed_out && !is_time_over(self)) return;
  if (!lua_getstack(L, 1, &activation)) luaL_error(L, "time limit exceeded");
  check_time(L, &activation);
}

// Reserves room in the buffer; false if there is no memory.
static bool reserve(inspection *self, size_t count) {
  if (count > SIZE_MAX / 4 - self->length) return false;
  if (self->length + count <= self->capacity) return true;
  size_t capacity = self->capacity ? self->capacity * 2 : 1024;
  while (capacity < self->length + count) capacity *= 2;
  uint8_t *bytes = realloc(self->bytes, capacity);
  if (!bytes) return false;
  self->bytes = bytes;
  self->capacity = capacity;
  return true;
}

static void put(lua_State *L, inspection *self, const void *bytes, size_t count) {
  if (!reserve(self, count)) luaL_error(L, "not enough memory");
  if (count) memcpy(self->bytes + self->length, bytes, count);
  self->length += count;
}

static void put_tag(lua_State *L, inspection *self, uint8_t tag) { put(L, self, &tag, 1); }

static void put_text(lua_State *L, inspection *self, uint8_t tag, const char *text, size_t count) {
  uint32_t length = (uint32_t)count;
  put_tag(L, self, tag);
  put(L, self, &length, sizeof length);
  put(L, self, text, count);
}

// The validator of a typedef: only its identity and its name matter here.
static int validator(lua_State *L) {
  return luaL_error(L, "the validator of a typedef cannot be called by a schema");
}

static int refuse(lua_State *L, inspection *self, int status) {
  self->result.status = status;
  return luaL_error(L, "the returned value cannot be copied");
}

// Appends the value at the index to the buffer.
static void put_value(lua_State *L, inspection *self, int index, uint32_t depth) {
  if (index < 0) index = lua_gettop(L) + index + 1;
  if (++self->values > self->request->value_limit) refuse(L, self, LUA_INSPECT_TOO_LARGE);
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      put_tag(L, self, LUA_INSPECT_TAG_NIL);
      return;
    case LUA_TBOOLEAN:
      put_tag(L, self, lua_toboolean(L, index) ? LUA_INSPECT_TAG_TRUE : LUA_INSPECT_TAG_FALSE);
      return;
    case LUA_TNUMBER: {
      lua_Number number = lua_tonumber(L, index);
      put_tag(L, self, LUA_INSPECT_TAG_NUMBER);
      put(L, self, &number, sizeof number);
      return;
    }
    case LUA_TSTRING: {
      size_t length = 0;
      const char *text = lua_tolstring(L, index, &length);
      put_text(L, self, LUA_INSPECT_TAG_STRING, text, length);
      return;
    }
    case LUA_TFUNCTION: {
      if (lua_tocfunction(L, index) == validator && lua_getupvalue(L, index, 1)) {
        size_t length = 0;
        const char *name = lua_tolstring(L, -1, &length);
        put_text(L, self, LUA_INSPECT_TAG_VALIDATOR, name, length);
        lua_pop(L, 1);
        return;
      }
      lua_Debug function;
      lua_pushvalue(L, index);
      lua_getinfo(L, ">S", &function);
      int32_t line = strcmp(function.source, self->request->chunk_name) == 0 ? function.linedefined : -1;
      put_tag(L, self, LUA_INSPECT_TAG_FUNCTION);
      put(L, self, &line, sizeof line);
      return;
    }
    case LUA_TTABLE: {
      uint32_t count = 0;
      put_tag(L, self, LUA_INSPECT_TAG_TABLE);
      size_t position = self->length;
      put(L, self, &count, sizeof count);
      if (depth >= self->request->depth_limit) {
        if (self->request->is_shallow) return;
        refuse(L, self, LUA_INSPECT_TOO_DEEP);
      }
      luaL_checkstack(L, 8, NULL);
      lua_pushnil(L);
      while (lua_next(L, index)) {
        put_value(L, self, -2, depth + 1);
        put_value(L, self, -1, depth + 1);
        count++;
        lua_pop(L, 1);
      }
      memcpy(self->bytes + position, &count, sizeof count);
      return;
    }
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        put_tag(L, self, LUA_INSPECT_TAG_NULL);
        return;
      }
      // Any other pointer is no data.
      put_text(L, self, LUA_INSPECT_TAG_OTHER, "userdata", 8);
      return;
    default: {
      const char *type = lua_typename(L, lua_type(L, index));
      put_text(L, self, LUA_INSPECT_TAG_OTHER, type, strlen(type));
    }
  }
}

typedef struct {
  const uint8_t *position;
  const uint8_t *end;
} reader;

static const uint8_t *take(lua_State *L, reader *input, size_t count) {
  if (count > (size_t)(input->end - input->position)) luaL_error(L, "the environment's data end early");
  const uint8_t *start = input->position;
  input->position += count;
  return start;
}

static uint32_t take_count(lua_State *L, reader *input) {
  uint32_t count;
  memcpy(&count, take(L, input, sizeof count), sizeof count);
  return count;
}

// Pushes the next value of the environment's data.
static void push_value(lua_State *L, reader *input) {
  luaL_checkstack(L, 8, "the environment's data are nested too deeply");
  switch (*take(L, input, 1)) {
    case LUA_INSPECT_TAG_FALSE:
      lua_pushboolean(L, 0);
      return;
    case LUA_INSPECT_TAG_TRUE:
      lua_pushboolean(L, 1);
      return;
    case LUA_INSPECT_TAG_NUMBER: {
      lua_Number number;
      memcpy(&number, take(L, input, sizeof number), sizeof number);
      lua_pushnumber(L, number);
      return;
    }
    case LUA_INSPECT_TAG_STRING: {
      uint32_t length = take_count(L, input);
      lua_pushlstring(L, (const char *)take(L, input, length), length);
      return;
    }
    case LUA_INSPECT_TAG_VALIDATOR: {
      uint32_t length = take_count(L, input);
      lua_pushlstring(L, (const char *)take(L, input, length), length);
      lua_pushcclosure(L, validator, 1);
      return;
    }
    case LUA_INSPECT_TAG_NULL:
      lua_pushlightuserdata(L, NULL);
      return;
    case LUA_INSPECT_TAG_TABLE: {
      uint32_t count = take_count(L, input);
      lua_newtable(L);
      for (uint32_t i = 0; i < count; i++) {
        push_value(L, input);
        push_value(L, input);
        lua_rawset(L, -3);
      }
      return;
    }
    default:
      lua_pushnil(L);
  }
}

// Keeps a copy of the error at the top of the stack.
static void keep_message(lua_State *L, inspection *self) {
  free(self->result.message);
  self->result.message = NULL;
  // Only strings: turning anything else into text could raise.
  if (lua_type(L, -1) != LUA_TSTRING) return;
  size_t length = 0;
  const char *text = lua_tolstring(L, -1, &length);
  self->result.message = strndup(text, length < MESSAGE_LIMIT ? length : MESSAGE_LIMIT);
}

static bool is_out_of_memory(inspection *self, int code) {
  return code == LUA_ERRMEM ||
         (self->memory_refused && self->result.message && strstr(self->result.message, "not enough memory"));
}

// Everything that may raise; runs under lua_cpcall.
static int evaluate(lua_State *L) {
  inspection *self = lua_touserdata(L, 1);
  const lua_inspect_request *request = self->request;
  lua_settop(L, 0);
  luaL_openlibs(L);
  slu_open_guarded(L);
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);

  if (luaL_loadbufferx(L, request->bootstrap, request->bootstrap_length, "=sandbox", "t")) return lua_error(L);
  reader input = {request->data, request->data + request->data_length};
  push_value(L, &input);
  lua_call(L, 1, 1);
  int environment = lua_gettop(L);

  if (request->chunk_length > 0 && request->chunk[0] == LUA_SIGNATURE[0]) {
    self->result.status = LUA_INSPECT_BYTECODE;
    return 0;
  }
  int code = luaL_loadbufferx(L, request->chunk, request->chunk_length, request->chunk_name, "t");
  if (code) {
    keep_message(L, self);
    // Bytecode behind a byte order mark gets as far as this; Lua refuses it under one of two names.
    const char *message = self->result.message;
    bool is_bytecode = message && (strstr(message, "attempt to load chunk with wrong mode") ||
                                   strstr(message, "cannot load malformed bytecode"));
    self->result.status = is_out_of_memory(self, code) ? LUA_INSPECT_MEMORY
                          : is_bytecode                ? LUA_INSPECT_BYTECODE
                                                       : LUA_INSPECT_SYNTAX;
    return 0;
  }
  lua_pushvalue(L, environment);
  lua_setfenv(L, -2);

  if (request->argument) lua_pushstring(L, request->argument);

  self->started = now_nanoseconds(CLOCK_MONOTONIC);
  self->started_processor = now_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
  // LuaJIT keeps one hook for all coroutines of a state.
  lua_sethook(L, check_time, LUA_MASKCOUNT, HOOK_INTERVAL);
  self->guard.check = check_chunk;
  code = lua_pcall(L, request->argument ? 1 : 0, 1, 0);
  self->guard.check = NULL;
  lua_sethook(L, NULL, 0, 0);

  if (self->timed_out) {
    self->result.status = LUA_INSPECT_TIMEOUT;
    return 0;
  }
  if (code) {
    keep_message(L, self);
    self->result.status = is_out_of_memory(self, code) ? LUA_INSPECT_MEMORY : LUA_INSPECT_RUNTIME;
    return 0;
  }
  put_value(L, self, -1, 0);
  self->result.status = LUA_INSPECT_OK;
  return 0;
}

static void *run(void *context) {
  inspection *self = context;
  slu_guard_begin(&self->guard);
  self->guard.coroutine_limit = self->request->coroutine_limit;
  self->guard.string_limit = self->request->string_limit;
  self->guard.pattern_limit = self->request->pattern_limit;
  self->result.status = LUA_INSPECT_UNAVAILABLE;
  lua_State *L = lua_newstate(allocate, self);
  if (!L) {
    self->result.message = strdup("no Lua state with a memory limit could be made");
    return NULL;
  }
  int code = lua_cpcall(L, evaluate, self);
  if (code) {
    keep_message(L, self);
    if (self->result.status == LUA_INSPECT_UNAVAILABLE && is_out_of_memory(self, code)) {
      self->result.status = LUA_INSPECT_MEMORY;
    }
  }
  lua_close(L);
  return NULL;
}

lua_inspect_result lua_inspect_run(const lua_inspect_request *request) {
  inspection self;
  memset(&self, 0, sizeof self);
  self.request = request;
  self.result.status = LUA_INSPECT_UNAVAILABLE;

  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
  int code = pthread_create(&thread, &attributes, run, &self);
  pthread_attr_destroy(&attributes);
  if (code) {
    self.result.message = strdup("no thread for the inspection could be started");
    return self.result;
  }
  pthread_join(thread, NULL);

  if (self.result.status == LUA_INSPECT_OK) {
    self.result.bytes = self.bytes;
    self.result.length = self.length;
  } else {
    free(self.bytes);
  }
  return self.result;
}

void lua_inspect_free(lua_inspect_result *result) {
  free(result->bytes);
  free(result->message);
  result->bytes = NULL;
  result->message = NULL;
}
