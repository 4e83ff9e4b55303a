#ifndef CLUABRIDGE_H
#define CLUABRIDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "LuaGuard.h"

// The C side of the Lua bridge: the only place where Lua errors and yields unwind.
//
// Swift never lies under a longjmp. A Swift callback reads its arguments from a slu_call, writes results into it and
// returns a status; it never calls the Lua API. The shim pushes, raises or yields afterwards. Everything that Swift asks
// of a state goes through the functions below, which run protected and return a status.
//
// A slu_host is confined to one thread (its event loop); only the watchdog looks at its atomic fields from elsewhere.

// MARK: Values

enum {
  SLU_NIL,
  SLU_FALSE,
  SLU_TRUE,
  SLU_NUMBER,
  SLU_STRING,
  SLU_TABLE,
  // JSON null and ngx.null.
  SLU_NULL,
  // A function, coroutine or userdata; `bytes` is the name of its type.
  SLU_OTHER,
};

enum {
  // The table has (argument) or gets (result) the array metatable of the JSON library.
  SLU_FLAG_ARRAY_METATABLE = 1,
  // The table's items follow without keys; they get 1, 2, 3 ...
  SLU_FLAG_LIST = 2,
  // An argument table was encoded as JSON: the value is a string.
  SLU_FLAG_JSON = 4,
};

// The place of an argument table that was not read, because its function does not want tables.
#define SLU_NO_TREE ((size_t)INT64_MAX)

// One value of a flat tree in pre-order. A table is followed by `count` pairs (key, value), or `count` values if it is a
// list.
typedef struct slu_value {
  uint8_t kind;
  uint8_t flags;
  uint32_t count;
  double number;
  // Argument strings: bytes owned by Lua, valid during the call. Result strings: NULL, see `offset`.
  const char *bytes;
  // Result strings: place in slu_call.bytes. Argument tables: index of the first node in slu_call.nodes.
  size_t offset;
  size_t length;
} slu_value;

// Arguments and results of one call from Lua. Memory belongs to the host and is reused.
typedef struct slu_call {
  slu_value *arguments;
  int32_t argument_count;
  int32_t argument_capacity;
  // Trees of the argument tables.
  slu_value *nodes;
  uint32_t node_count;
  uint32_t node_capacity;

  slu_value *results;
  uint32_t result_count;
  uint32_t result_capacity;
  char *bytes;
  size_t byte_count;
  size_t byte_capacity;

  // Source and line of the calling plugin code, for functions with SLU_WANTS_POSITION.
  char source[96];
  int32_t line;
} slu_call;

// Append a result; tables are followed by their items. They never fail: memory exhaustion ends the process.
void slu_return_nil(slu_call *call);
void slu_return_null(slu_call *call);
void slu_return_boolean(slu_call *call, bool value);
void slu_return_number(slu_call *call, double value);
void slu_return_string(slu_call *call, const void *bytes, size_t length);
void slu_return_table(slu_call *call, uint32_t count, uint8_t flags);
void slu_clear_results(slu_call *call);

// MARK: Functions

enum {
  // Table arguments are given as trees.
  SLU_WANTS_TABLES = 1,
  // Every argument is given as text, as tostring makes it.
  SLU_WANTS_TEXT = 4,
  SLU_WANTS_POSITION = 8,
  // Shifted left by n: if argument n is a table, it is given as JSON text.
  SLU_WANTS_JSON_ARGUMENT = 256,
};

// How a callback ended.
enum {
  SLU_RETURN,
  // Raise the first result, a string, with the position of the caller.
  SLU_RAISE,
  // Raise the first result as it is.
  SLU_RAISE_PLAIN,
  // Wait: the coroutine yields, and the results of slu_resume become those of the function.
  SLU_SUSPEND,
  // End the phase at once; no Lua code of the plugin runs any more.
  SLU_EXIT,
};

typedef struct slu_host slu_host;
typedef int32_t (*slu_callback)(void *context, uint32_t function, slu_call *call);

typedef struct slu_function {
  slu_host *host;
  // Index that the callback gets.
  uint32_t index;
  // Bit n: may be called in phase n; 0 for functions that need no phase.
  uint32_t phases;
  uint32_t wants;
  // Dotted name.
  char *name;
  // "rewrite, access, ..." for the message.
  char *phase_names;
} slu_function;

// MARK: Hosts

// How a run ended.
enum {
  SLU_RUN_FINISHED,
  SLU_RUN_WAITING,
  SLU_RUN_EXITED,
  SLU_RUN_FAILED,
};

// Why a run was aborted, or which limit made it fail.
enum {
  SLU_ABORT_NONE,
  SLU_ABORT_EXIT,
  SLU_ABORT_CPU,
  SLU_ABORT_COROUTINES,
  SLU_ABORT_REQUEST_MEMORY,
  SLU_ABORT_PLUGIN_MEMORY,
  // The state itself is full; an error like any other.
  SLU_ABORT_STATE_MEMORY,
};

// A coroutine that runs a phase, and what the phase has used up before it waited.
typedef struct slu_thread {
  lua_State *state;
  int32_t reference;
  uint32_t coroutines;
  uint64_t spent_nanoseconds;
  int64_t memory;
} slu_thread;

// What the code of one account may use; 0 stands for no limit.
typedef struct slu_quota {
  // CPU time of a phase call, all parts between its waits together, and of loading.
  uint64_t cpu_nanoseconds;
  uint64_t load_nanoseconds;
  // Bytes that the account may hold, garbage that is not collected yet included.
  size_t plugin_memory;
  // Bytes that the calls of one request may add to that.
  size_t request_memory;
  uint32_t coroutines;
  size_t string_size;
  uint64_t pattern_steps;
} slu_quota;

// Who memory belongs to: one plugin version in one state. Account 0 is the runtime's own.
typedef struct slu_account {
  bool is_open;
  size_t used;
  // What was left of it by the last collection that it gave cause to.
  size_t left;
  slu_quota quota;
} slu_account;

struct slu_host {
  // First, because the allocator's context is found as a guard.
  slu_guard guard;
  lua_State *state;
  void *context;
  slu_callback callback;
  slu_call call;

  // Set by Swift before each run.
  uint32_t phase;
  const char *phase_name;
  // Table of the running request (kong.ctx and the like), LUA_NOREF before it is first used.
  int32_t request_reference;
  // Identifies the running plugin instance in that table.
  double plugin_key;

  slu_thread running;
  slu_thread *pool;
  uint32_t pool_count;
  uint32_t pool_capacity;
  uint32_t depth;
  int32_t abort;
  bool suspended;
  bool exiting;

  slu_function *functions;
  uint32_t function_count;

  size_t memory_used;
  size_t memory_limit;
  slu_account *accounts;
  uint32_t account_count;
  // Set by Swift: the account that runs, whether its code is being loaded, and what earlier calls of the same request
  // have added to its memory.
  uint32_t account;
  bool is_loading;
  int64_t request_memory;
  // What the run has added to the account's memory, request_memory included.
  int64_t run_memory;
  // Set by Swift: much became garbage, so that the next run begins with a collection.
  bool collects_next;
  // Untrusted code is to be marked so that the compiler leaves it alone.
  bool compiler;

  // Which limit made the last run fail (SLU_ABORT_...), SLU_ABORT_NONE for an ordinary error.
  int32_t failure;
  // Where the plugin's code was when the run was aborted; empty if that is not known.
  char abort_source[96];
  int32_t abort_line;
  // Text of the last failure: message, then traceback.
  char *error_message;
  size_t error_length;
  char *error_traceback;
  size_t traceback_length;

  // MARK: Watched from the watchdog's thread
  // Sequence number of the run times four, plus 1 while it runs, or 2 while it is being killed.
  _Atomic uint64_t run_state;
  // Set by the signal handler when the hook is in place.
  _Atomic uint32_t kill_delivered;
  // Of the run; 0 for no limit.
  _Atomic uint64_t cpu_limit_nanoseconds;
  uint64_t thread_id;
  int32_t cpu_clock;
  bool watched;
  // The run that the watchdog saw last, and the CPU time of the host's thread at its first look at it.
  _Atomic uint64_t watched_state;
  _Atomic uint64_t watched_since;
};

// Creates a state with the standard libraries. NULL when there is no memory. `compiler` turns the compiler on, but for
// code that is trusted only: every other chunk is marked as it is loaded. `quota` is that of account 0.
slu_host *slu_host_new(void *context, slu_callback callback, size_t memory_limit, const slu_quota *quota,
                       bool compiler);
void slu_host_free(slu_host *host);

// Opens an account; never fails. Closed ones are taken again once nothing of them is left.
uint32_t slu_host_open_account(slu_host *host, const slu_quota *quota);
void slu_host_close_account(slu_host *host, uint32_t account);

// Makes the functions that Lua can call; `functions` and its strings are copied. They appear by name in a table that the
// prelude gets. Returns false with a message in the host on failure.
bool slu_host_define(slu_host *host, const slu_function *functions, uint32_t count);

// Runs a trusted chunk with (functions, natives) as arguments and keeps its result. LUA_NOREF on failure.
int32_t slu_host_run_trusted(slu_host *host, const char *name, const char *text, size_t length);

// Calls a member of a kept table with up to two strings and keeps the result. LUA_NOREF on failure.
int32_t slu_host_call_member(slu_host *host, int32_t table, const char *member, const char *first, const char *second);

// The same with what the results of host->call describe as further arguments.
int32_t slu_host_call_with_result(slu_host *host, int32_t table, const char *member, const char *first,
                                  const char *second);

// Compiles a text chunk with the given environment and keeps the function. LUA_NOREF on failure. Code that is trusted
// may become machine code if the state's compiler is on.
int32_t slu_host_load(slu_host *host, int32_t environment, const char *name, const char *text, size_t length,
                      bool is_trusted);

// Keeps the member of a kept table if it is a function. LUA_NOREF if it is not.
int32_t slu_host_function_member(slu_host *host, int32_t table, const char *member);

// Keeps the table, or function, that the results of `host->call` describe (its first value).
int32_t slu_host_keep_result(slu_host *host);

void slu_host_release(slu_host *host, int32_t reference);

// Starts `function(self, argument)` on a coroutine; arguments with LUA_NOREF are left out. `keep`, if not NULL, keeps the
// first result when it is a table or function (LUA_NOREF otherwise).
int32_t slu_host_start(slu_host *host, int32_t function, int32_t self, int32_t argument, int32_t *keep);

// Goes on with a run that had returned SLU_RUN_WAITING; the results in host->call are given to the waiting function.
int32_t slu_host_resume(slu_host *host, slu_thread thread, int32_t *keep);

// Gives up a waiting run.
void slu_host_abandon(slu_host *host, slu_thread thread);

// Reads a member of the running request's shared table as a tree into host->call.nodes: false if there is none.
bool slu_host_read_shared(slu_host *host, int32_t request_reference, const char *key);

void slu_host_collect_garbage(slu_host *host);

// Writes a number as tostring does; `text` has room for 32 bytes. Returns its length.
size_t slu_number_text(double number, char *text);

#endif
