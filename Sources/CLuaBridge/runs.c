// Runs of plugin phases: their coroutines, their limits and how they end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

// Bytes that an aborted run may leave to the collector's own time.
#define COLLECTED_AT_ONCE (1 << 20)
// Nodes for argument tables that stay after a run.
#define NODES_KEPT 65536u

static int make_thread(lua_State *L) {
  slu_thread *thread = lua_touserdata(L, 1);
  thread->state = lua_newthread(L);
  thread->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static bool take_thread(slu_host *host, slu_thread *thread) {
  if (host->pool_count > 0) {
    *thread = host->pool[--host->pool_count];
    thread->coroutines = 0;
    thread->spent_nanoseconds = 0;
    thread->memory = 0;
    return true;
  }
  *thread = (slu_thread){.state = NULL};
  return slu_protect(host, make_thread, thread);
}

static void give_thread(slu_host *host, slu_thread thread) {
  if (host->pool_count == host->pool_capacity) {
    host->pool_capacity = host->pool_capacity ? host->pool_capacity * 2 : 16;
    host->pool = slu_grow(host->pool, host->pool_capacity * sizeof *host->pool);
  }
  host->pool[host->pool_count++] = thread;
}

static int make_traceback(lua_State *L) {
  slu_host *host = lua_touserdata(L, 1);
  luaL_traceback(L, host->running.state, NULL, 0);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  slu_set_traceback(host, text, length);
  return 0;
}

static void write_size(char *text, size_t capacity, size_t bytes) {
  bool is_whole = bytes % (1u << 20) == 0;
  snprintf(text, capacity, "%zu %s", is_whole ? bytes >> 20 : bytes >> 10, is_whole ? "MiB" : "KiB");
}

// The sentence of a limit that the run has gone beyond.
static void set_limit_error(slu_host *host, int32_t reason) {
  const slu_quota *quota = &host->accounts[host->account].quota;
  char text[256], size[32];
  int length = host->abort_line == 0
                   ? 0
                   : snprintf(text, sizeof text, "%s:%d: ", host->abort_source, (int)host->abort_line);
  char *end = text + length;
  size_t room = sizeof text - (size_t)length;
  switch (reason) {
    case SLU_ABORT_CPU:
      snprintf(end, room, "CPU time limit of %llu ms exceeded",
               (unsigned long long)((host->is_loading ? quota->load_nanoseconds : quota->cpu_nanoseconds) / 1000000u));
      break;
    case SLU_ABORT_COROUTINES:
      snprintf(end, room, "limit of %u coroutines exceeded", (unsigned)quota->coroutines);
      break;
    case SLU_ABORT_REQUEST_MEMORY:
      write_size(size, sizeof size, quota->request_memory);
      snprintf(end, room, "memory limit of %s per request exceeded", size);
      break;
    default:
      write_size(size, sizeof size, quota->plugin_memory);
      snprintf(end, room, "memory limit of %s per plugin exceeded", size);
  }
  slu_set_error(host, text, strlen(text));
}

static int32_t fail(slu_host *host, slu_thread thread, int32_t reason) {
  slu_set_traceback(host, NULL, 0);
  host->failure = reason;
  if (reason != SLU_ABORT_NONE && reason != SLU_ABORT_STATE_MEMORY) {
    set_limit_error(host, reason);
  } else if (lua_gettop(thread.state) > 0) {
    slu_set_error_from(host, thread.state, -1);
  } else {
    slu_set_error(host, "unknown error", 13);
  }
  // The frames of the failed coroutine are still there; the message must survive a failure to walk them. Of a run that
  // was aborted the place is known, and the frames tell no lines.
  if (reason == SLU_ABORT_NONE || reason == SLU_ABORT_STATE_MEMORY) lua_cpcall(host->state, make_traceback, host);
  lua_settop(host->state, 0);
  slu_host_release(host, thread.reference);
  return SLU_RUN_FAILED;
}

static int keep_first(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_State *thread = op->host->running.state;
  if (lua_gettop(thread) == 0) return 0;
  lua_settop(thread, 1);
  lua_xmove(thread, L, 1);
  if (lua_istable(L, -1) || lua_isfunction(L, -1)) op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

// Gives back what one call with huge arguments needed.
static void release_scratch(slu_host *host) {
  if (host->call.node_capacity > NODES_KEPT) {
    free(host->call.nodes);
    host->call.nodes = NULL;
    host->call.node_capacity = 0;
    host->call.node_count = 0;
  }
  slu_json_release();
}

static uint64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Sets the limits of a run, less what its phase call has used before.
static void begin_limits(slu_host *host, const slu_thread *thread) {
  const slu_quota *quota = &host->accounts[host->account].quota;
  host->guard.coroutines = thread->coroutines;
  host->guard.coroutine_limit = quota->coroutines;
  host->guard.string_limit = quota->string_size;
  host->guard.pattern_limit = quota->pattern_steps;
  size_t least = host->memory_limit;
  if (quota->plugin_memory != 0 && quota->plugin_memory < least) least = quota->plugin_memory;
  if (quota->request_memory != 0 && quota->request_memory < least) least = quota->request_memory;
  host->guard.garbage_limit = least / 4;
  host->run_memory = host->request_memory + thread->memory;
  uint64_t limit = host->is_loading ? quota->load_nanoseconds : quota->cpu_nanoseconds;
  if (limit != 0) limit = thread->spent_nanoseconds < limit ? limit - thread->spent_nanoseconds : 1;
  atomic_store_explicit(&host->cpu_limit_nanoseconds, limit, memory_order_relaxed);
  host->failure = SLU_ABORT_NONE;
  host->abort_line = 0;
}

// Collects before a run when much of what the account may hold is used: what it holds beyond that is no garbage.
static void make_room(slu_host *host) {
  slu_account *account = &host->accounts[host->account];
  size_t limit = account->quota.plugin_memory;
  if (host->collects_next) {
    host->collects_next = false;
    slu_host_collect_garbage(host);
  }
  if (limit == 0 || account->used < limit / 4 * 3 || account->used < account->left + limit / 8) return;
  slu_host_collect_garbage(host);
  account->left = account->used;
}

static int32_t run(slu_host *host, slu_thread thread, int arguments, int32_t *keep, bool is_resumed) {
  host->running = thread;
  host->suspended = false;
  host->exiting = false;
  begin_limits(host, &thread);
  host->depth = 1;
  slu_guard_begin(&host->guard);
  // The clock of the thread is not free: only calls that wait pay for it, from their first wait on. What came before
  // that is known when it was long enough for the watchdog to look at it.
  uint64_t start = is_resumed ? processor_time() : 0;
  slu_run_begin(host);
  int status = lua_resume(thread.state, arguments);
  if (host->suspended && !is_resumed) start = slu_run_watched_since(host);
  bool was_killed = slu_run_end(host);
  int32_t reason = was_killed && host->abort < SLU_ABORT_CPU ? SLU_ABORT_CPU : host->abort;
  host->depth = 0;
  host->abort = SLU_ABORT_NONE;
  release_scratch(host);

  if (reason > SLU_ABORT_EXIT) {
    int32_t result = fail(host, thread, reason);
    if (host->run_memory > COLLECTED_AT_ONCE) slu_host_collect_garbage(host);
    return result;
  }
  if (host->exiting) {
    slu_host_release(host, thread.reference);
    return SLU_RUN_EXITED;
  }
  if (status == 0) {
    if (keep != NULL) {
      slu_operation op = {.host = host, .result = LUA_NOREF};
      bool is_kept = slu_protect(host, keep_first, &op);
      *keep = is_kept ? op.result : LUA_NOREF;
    }
    lua_settop(thread.state, 0);
    give_thread(host, thread);
    return SLU_RUN_FINISHED;
  }
  if (status == LUA_YIELD) {
    if (host->suspended) {
      lua_settop(thread.state, 0);
      if (start != 0) host->running.spent_nanoseconds += processor_time() - start;
      host->running.coroutines = host->guard.coroutines;
      host->running.memory = host->run_memory - host->request_memory;
      return SLU_RUN_WAITING;
    }
    static const char message[] = "attempt to yield from outside a coroutine";
    slu_set_error(host, message, sizeof message - 1);
    slu_set_traceback(host, NULL, 0);
    slu_host_release(host, thread.reference);
    return SLU_RUN_FAILED;
  }
  int32_t result = fail(host, thread, status == LUA_ERRMEM ? SLU_ABORT_STATE_MEMORY : SLU_ABORT_NONE);
  if (status == LUA_ERRMEM) slu_host_collect_garbage(host);
  return result;
}

static int push_onto_thread(lua_State *L) {
  slu_operation *op = lua_touserdata(L, 1);
  lua_State *thread = op->host->running.state;
  int count = slu_results_push(L, &op->host->call);
  if (!lua_checkstack(thread, count)) return luaL_error(L, "too many results");
  lua_xmove(L, thread, count);
  op->result = count;
  return 0;
}

int32_t slu_host_start(slu_host *host, int32_t function, int32_t self, int32_t argument, int32_t *keep) {
  static const char reentered[] = "a phase cannot start inside another one";
  slu_clear_traceback(host);
  if (host->depth != 0) {
    slu_set_error(host, reentered, sizeof reentered - 1);
    return SLU_RUN_FAILED;
  }
  make_room(host);
  slu_thread thread;
  if (!take_thread(host, &thread)) return SLU_RUN_FAILED;
  lua_State *L = thread.state;
  int arguments = 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  if (self != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, self);
    arguments++;
  }
  if (argument != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, argument);
    arguments++;
  }
  return run(host, thread, arguments, keep, false);
}

int32_t slu_host_resume(slu_host *host, slu_thread thread, int32_t *keep) {
  host->running = thread;
  slu_operation op = {.host = host, .result = 0};
  if (!slu_protect(host, push_onto_thread, &op)) {
    slu_host_release(host, thread.reference);
    return SLU_RUN_FAILED;
  }
  return run(host, thread, op.result, keep, true);
}

void slu_host_abandon(slu_host *host, slu_thread thread) { slu_host_release(host, thread.reference); }
