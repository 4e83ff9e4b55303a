#ifndef SLU_GUARD_H
#define SLU_GUARD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What bounds the C code that Lua code calls, where no hook reaches. The first member of the context of a state's
// allocator, so that every C function finds it.
typedef struct slu_guard {
  // Raises when the run has to end, and returns otherwise; cheap enough for every few thousand steps of work.
  void (*check)(lua_State *L, struct slu_guard *guard);
  // Lowest address that the stack may reach; 0 for no bound.
  uintptr_t stack_floor;
  // The same for code that goes back into Lua. An error unwinds the frames of C one by one, some microseconds each, so
  // that these have a smaller share than the stack has room for.
  uintptr_t callback_floor;
  // The thread that the floors belong to.
  uint64_t stack_thread;
  // Ends the run for a quota that is used up, by an error; NULL where an error alone is enough.
  void (*exceed)(lua_State *L, struct slu_guard *guard);
  // Coroutines that the run has made, and how many it may; 0 for no bound.
  uint32_t coroutines;
  uint32_t coroutine_limit;
  // Bytes that string.rep may make, and steps that one match of a pattern may take; 0 for the bounds built in.
  size_t string_limit;
  uint64_t pattern_limit;
  // Bytes of large strings that may become garbage before it is collected, and those made since; 0 for no bound. The
  // collector counts its steps by the number of strings made, and cannot keep up with a few large ones.
  size_t garbage_limit;
  size_t garbage;
} slu_guard;

// Steps between two calls of slu_check.
#define SLU_CHECK_INTERVAL 4096

slu_guard *slu_guard_of(lua_State *L);

// Raises when the run has to end.
void slu_check(lua_State *L);

// Raises "stack overflow" when the thread's stack comes to its end: for C code that calls itself.
void slu_check_stack(lua_State *L);

// The same for C code that goes back into Lua.
void slu_check_callback(lua_State *L);

// Sets the floors for a run on the calling thread; cheap if the thread is the same as before.
void slu_guard_begin(slu_guard *guard);

// Replaces those functions of the standard libraries that could hang or crash the process.
void slu_open_guarded(lua_State *L);

// Replaces string.find, match, gmatch and gsub in the library table at the top of the stack.
void slu_open_patterns(lua_State *L);

#endif
