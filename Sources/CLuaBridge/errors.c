// The text of the last failure, and operations that keep it when they fail.
#include <stdio.h>
#include <string.h>

#include "internal.h"

// Bytes of an error's message and of its traceback that are kept.
#define MESSAGE_LIMIT 4096
#define TRACEBACK_LIMIT 8192

void slu_set_error(slu_host *host, const char *message, size_t length) {
  if (length > MESSAGE_LIMIT) length = MESSAGE_LIMIT;
  host->error_message = slu_grow(host->error_message, length + 1);
  memcpy(host->error_message, message, length);
  host->error_message[length] = 0;
  host->error_length = length;
}

void slu_set_traceback(slu_host *host, const char *text, size_t length) {
  if (length > TRACEBACK_LIMIT) length = TRACEBACK_LIMIT;
  host->error_traceback = slu_grow(host->error_traceback, length + 1);
  if (length > 0) memcpy(host->error_traceback, text, length);
  host->error_traceback[length] = 0;
  host->traceback_length = length;
}

void slu_set_error_from(slu_host *host, lua_State *L, int index) {
  char text[96];
  switch (lua_type(L, index)) {
    case LUA_TSTRING: {
      size_t length;
      const char *message = lua_tolstring(L, index, &length);
      slu_set_error(host, message, length);
      return;
    }
    case LUA_TNUMBER: snprintf(text, sizeof text, "%.14g", lua_tonumber(L, index)); break;
    default:
      snprintf(text, sizeof text, "(error object is a %s value)", lua_typename(L, lua_type(L, index)));
  }
  slu_set_error(host, text, strlen(text));
}

// Runs `operation` protected; on failure the message is kept in the host.
bool slu_protect(slu_host *host, lua_CFunction operation, void *argument) {
  if (host->depth == 0) slu_guard_begin(&host->guard);
  int top = lua_gettop(host->state);
  int status = lua_cpcall(host->state, operation, argument);
  if (status != 0) {
    slu_set_traceback(host, NULL, 0);
    slu_set_error_from(host, host->state, -1);
  }
  lua_settop(host->state, top);
  return status == 0;
}
