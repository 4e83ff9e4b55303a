#ifndef SLU_INTERNAL_H
#define SLU_INTERNAL_H

#include <setjmp.h>
#include <signal.h>

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include "CLuaBridge.h"

// Source name of trusted chunks; positions of errors skip it.
#define SLU_PRELUDE_SOURCE "=[sluice]"

// A growing byte buffer outside of Lua's memory, reused from call to call.
typedef struct slu_buffer {
  char *bytes;
  size_t count;
  size_t capacity;
} slu_buffer;

void *slu_grow(void *memory, size_t size);
void slu_buffer_append(slu_buffer *buffer, const void *bytes, size_t length);

// The allocator of a state, whose context is its host.
void *slu_allocate(void *context, void *memory, size_t old_size, size_t new_size);

// Failures. What is too long is cut.
void slu_set_error(slu_host *host, const char *message, size_t length);
// The same with the error value at `index`.
void slu_set_error_from(slu_host *host, lua_State *L, int index);
void slu_set_traceback(slu_host *host, const char *text, size_t length);

static inline void slu_clear_traceback(slu_host *host) {
  if (host->traceback_length == 0) return;
  host->error_traceback[0] = 0;
  host->traceback_length = 0;
}

// Runs `operation` protected; on failure the message is kept in the host.
bool slu_protect(slu_host *host, lua_CFunction operation, void *argument);

// What a protected operation on a state is given, and what it gives back.
typedef struct slu_operation {
  slu_host *host;
  const char *name;
  const char *text;
  size_t length;
  const char *first;
  const char *second;
  int32_t reference;
  int32_t result;
  bool is_trusted;
} slu_operation;

// Host functions as Lua sees them: a closure with the slu_function as its upvalue.
int slu_call_function(lua_State *L);
// Raises the string at the top of the stack with the position of the nearest plugin code.
int slu_raise(lua_State *L);
// Notes where the plugin's code is, for the message of a run that was aborted.
void slu_note_place(lua_State *L, slu_host *host);

// Closures with the host as their upvalue, which the prelude gets; a name of NULL ends them.
extern const luaL_Reg slu_natives[];

// Keeps the compiler away from the function at the top of the stack and from those inside of it: machine code of a
// loop could not be stopped.
static inline void slu_leave_uncompiled(lua_State *L, const slu_host *host) {
  if (host->compiler) luaJIT_setmode(L, -1, LUAJIT_MODE_ALLFUNC | LUAJIT_MODE_OFF);
}

// Trees. slu_tree_read raises for tables that are nested too deeply or too large.
void slu_tree_read(lua_State *L, int index, slu_call *call);
// Pushes all results and returns their number. May raise (memory).
int slu_results_push(lua_State *L, slu_call *call);

// JSON.
void slu_json_setup(lua_State *L);
int slu_json_new_instance(lua_State *L);
// Encodes the value at `index` for host code; raises what cannot be encoded.
const char *slu_json_encode(lua_State *L, int index, size_t *length);
// Gives back what the last encoding left, if it is much.
void slu_json_release(void);
// Pushes the metatable that marks arrays.
void slu_push_array_metatable(lua_State *L);
bool slu_is_array(lua_State *L, int index);

// Watchdog.
void slu_watchdog_add(slu_host *host);
void slu_watchdog_remove(slu_host *host);
void slu_run_begin(slu_host *host);
// CPU time of the thread when the watchdog first saw the run that goes on now; 0 when it did not look at it yet.
uint64_t slu_run_watched_since(slu_host *host);
// Returns true when the run was killed for its CPU time.
bool slu_run_end(slu_host *host);
void slu_abort_hook(lua_State *L, lua_Debug *record);
// Has the run end at the next instruction, for the given reason unless there is one already. Also for signal handlers
// and allocators.
void slu_abort(slu_host *host, int32_t reason);

// Library code that knows nothing of Lua and looks at no clock, for example a search: the signal that ends the run
// leaves it by a jump. `slu_escape_blocked` keeps it from doing so while memory is being given out.
extern __thread sigjmp_buf *slu_escape;
extern __thread volatile sig_atomic_t slu_escape_blocked;
// Set when a jump was due meanwhile.
extern __thread volatile sig_atomic_t slu_escape_pending;

// Natives of the prelude for ngx.re.
int slu_regex_compile(lua_State *L);
int slu_regex_match(lua_State *L);

#endif
