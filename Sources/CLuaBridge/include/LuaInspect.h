#pragma once

// Evaluates one chunk of a streamed plugin in a fresh Lua state and hands back what it returned as bytes.
//
// The state has its own memory limit, its compiler is off, and a count hook ends the chunk when its time is over. The
// work is done on a thread of its own with a roomy stack; the caller waits for it. No code of the caller runs under Lua,
// so no caller's frame can be jumped over.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  LUA_INSPECT_OK = 0,
  // The state, the thread or the environment could not be made; `message` says why.
  LUA_INSPECT_UNAVAILABLE = 1,
  LUA_INSPECT_BYTECODE = 2,
  LUA_INSPECT_SYNTAX = 3,
  LUA_INSPECT_RUNTIME = 4,
  LUA_INSPECT_TIMEOUT = 5,
  LUA_INSPECT_MEMORY = 6,
  // What the chunk returned is nested too deeply (or contains itself).
  LUA_INSPECT_TOO_DEEP = 7,
  // What the chunk returned has too many values.
  LUA_INSPECT_TOO_LARGE = 8,
};

// Tags of the byte form of a value. Numbers are 8 bytes, lengths, counts and lines 4 bytes, in the machine's order.
enum {
  LUA_INSPECT_TAG_NIL = 0,
  LUA_INSPECT_TAG_FALSE = 1,
  LUA_INSPECT_TAG_TRUE = 2,
  LUA_INSPECT_TAG_NUMBER = 3,
  LUA_INSPECT_TAG_STRING = 4,     // length, bytes
  LUA_INSPECT_TAG_TABLE = 5,      // count, then count times key and value
  LUA_INSPECT_TAG_FUNCTION = 6,   // line, or -1 for a function that is not of Lua
  LUA_INSPECT_TAG_VALIDATOR = 7,  // length, name
  LUA_INSPECT_TAG_NULL = 8,
  LUA_INSPECT_TAG_OTHER = 9,      // length, name of the Lua type
};

typedef struct {
  // Trusted Lua text that gets the environment's data as its argument and returns the chunk's environment.
  const char *bootstrap;
  size_t bootstrap_length;
  // The environment's data in byte form.
  const uint8_t *data;
  size_t data_length;
  // The untrusted chunk.
  const char *chunk;
  size_t chunk_length;
  // Lua's name for the chunk, with the leading `=`.
  const char *chunk_name;
  // What the chunk finds in `...`, as if it had been required; NULL for nothing.
  const char *argument;
  // Bytes that the state may hold.
  size_t memory_limit;
  // Processor time of the chunk; by the wall clock it may take four times as long.
  uint64_t time_limit_nanoseconds;
  // Levels of tables that are copied; deeper ones are an error, or left out if `is_shallow`.
  uint32_t depth_limit;
  uint32_t value_limit;
  bool is_shallow;
  // As in slu_guard.
  uint32_t coroutine_limit;
  size_t string_limit;
  uint64_t pattern_limit;
} lua_inspect_request;

typedef struct {
  int status;
  // Owned; the value in byte form if the status is OK.
  uint8_t *bytes;
  size_t length;
  // Owned; Lua's message, may be NULL.
  char *message;
  // Line of the chunk at which it was stopped; 0 if unknown.
  int line;
} lua_inspect_result;

lua_inspect_result lua_inspect_run(const lua_inspect_request *request);
void lua_inspect_free(lua_inspect_result *result);
