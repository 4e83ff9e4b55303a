// CPU limit of a run: a watchdog thread looks at every host now and then; when a run has used its CPU time, it claims
// the run by compare-and-swap and signals the host's own thread, whose handler sets a hook that raises at every
// instruction. A run that ended in time wins the compare-and-swap, so a late kill never hits the next run.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "internal.h"

#define POLL_NANOSECONDS 2000000L
#define IDLE_POLLS_BEFORE_SLEEP 500
#define KILL_SIGNAL SIGURG

enum { STATE_IDLE = 0, STATE_RUNNING = 1, STATE_KILLING = 2, STATE_MASK = 3, STATE_STEP = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static slu_host **hosts;
static uint32_t host_count;
static bool is_started;
static _Atomic bool is_asleep;
static __thread slu_host *current_host;

__thread sigjmp_buf *slu_escape;
__thread volatile sig_atomic_t slu_escape_blocked;
__thread volatile sig_atomic_t slu_escape_pending;

// Ends the run. A yield passes every pcall of the coroutine at once; where none is possible (in a callback of a C
// function) an error unwinds to the nearest pcall, behind which the hook fires again.
void slu_abort_hook(lua_State *L, lua_Debug *record) {
  (void)record;
  slu_host *host = (slu_host *)slu_guard_of(L);
  slu_note_place(L, host);
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  lua_pushliteral(L, "execution aborted");
  lua_error(L);
}

void slu_abort(slu_host *host, int32_t reason) {
  if (host->abort == SLU_ABORT_NONE) host->abort = reason;
  // Hooks are set for the whole state; the thread that runs it is this one.
  lua_sethook(host->state, slu_abort_hook, LUA_MASKCOUNT, 1);
}

static void handle_signal(int number) {
  (void)number;
  slu_host *host = current_host;
  if (host == NULL) return;
  if ((atomic_load(&host->run_state) & STATE_MASK) != STATE_KILLING) return;
  slu_abort(host, SLU_ABORT_CPU);
  atomic_store(&host->kill_delivered, 1);
  if (slu_escape == NULL) return;
  if (slu_escape_blocked) {
    slu_escape_pending = 1;
  } else {
    siglongjmp(*slu_escape, 1);
  }
}

static uint64_t cpu_time(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Returns whether the host runs or has run since the last look.
static bool look_at(slu_host *host) {
  uint64_t state = atomic_load(&host->run_state);
  if ((state & STATE_MASK) != STATE_RUNNING) {
    bool has_run = state != host->watched_state || (state & STATE_MASK) == STATE_KILLING;
    host->watched_state = state;
    return has_run;
  }
  uint64_t now = cpu_time(host->cpu_clock);
  if (state != host->watched_state) {
    // In this order: whoever sees the state may read the time.
    atomic_store_explicit(&host->watched_since, now, memory_order_relaxed);
    host->watched_state = state;
    return true;
  }
  uint64_t limit = atomic_load_explicit(&host->cpu_limit_nanoseconds, memory_order_relaxed);
  if (limit == 0 || now - host->watched_since < limit) return true;
  uint64_t expected = state;
  if (atomic_compare_exchange_strong(&host->run_state, &expected, (state & ~(uint64_t)STATE_MASK) | STATE_KILLING)) {
    pthread_kill((pthread_t)host->thread_id, KILL_SIGNAL);
  }
  return true;
}

static void *watch(void *unused) {
  (void)unused;
  uint32_t idle_polls = 0;
  for (;;) {
    pthread_mutex_lock(&lock);
    bool is_busy = false;
    for (uint32_t index = 0; index < host_count; index++) is_busy |= look_at(hosts[index]);
    idle_polls = is_busy ? 0 : idle_polls + 1;
    if (idle_polls > IDLE_POLLS_BEFORE_SLEEP) {
      atomic_store(&is_asleep, true);
      for (uint32_t index = 0; index < host_count; index++) is_busy |= look_at(hosts[index]);
      if (!is_busy) pthread_cond_wait(&wake, &lock);
      atomic_store(&is_asleep, false);
      idle_polls = 0;
    }
    pthread_mutex_unlock(&lock);
    struct timespec pause = {0, POLL_NANOSECONDS};
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static void start_watching(void) {
  struct sigaction action = {0};
  action.sa_handler = handle_signal;
  // The handler may leave by a jump, which does not unblock the signal.
  action.sa_flags = SA_RESTART | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(KILL_SIGNAL, &action, NULL);

  // The watchdog takes no signals of the process.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, NULL, watch, NULL) == 0) {
    pthread_detach(thread);
    is_started = true;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void slu_watchdog_add(slu_host *host) {
  pthread_mutex_lock(&lock);
  if (!is_started) start_watching();
  hosts = slu_grow(hosts, (host_count + 1) * sizeof *hosts);
  hosts[host_count++] = host;
  host->watched = is_started;
  pthread_mutex_unlock(&lock);
}

void slu_watchdog_remove(slu_host *host) {
  pthread_mutex_lock(&lock);
  for (uint32_t index = 0; index < host_count; index++) {
    if (hosts[index] == host) {
      hosts[index] = hosts[--host_count];
      break;
    }
  }
  pthread_mutex_unlock(&lock);
}

void slu_run_begin(slu_host *host) {
  host->abort = SLU_ABORT_NONE;
  if (!host->watched) return;
  // A host lives on one thread, but may be made on another before its loop starts.
  pthread_t self = pthread_self();
  if ((pthread_t)host->thread_id != self) {
    pthread_mutex_lock(&lock);
    host->thread_id = (uint64_t)self;
    clockid_t clock;
    host->cpu_clock = pthread_getcpuclockid(self, &clock) == 0 ? (int32_t)clock : CLOCK_MONOTONIC;
    pthread_mutex_unlock(&lock);
    // Threads of some pools block signals.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, KILL_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
  }
  current_host = host;
  uint64_t state = atomic_load_explicit(&host->run_state, memory_order_relaxed);
  atomic_store(&host->run_state, (state & ~(uint64_t)STATE_MASK) + STATE_STEP + STATE_RUNNING);
  if (atomic_load(&is_asleep)) {
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
  }
}

uint64_t slu_run_watched_since(slu_host *host) {
  if (!host->watched || host->watched_state != atomic_load_explicit(&host->run_state, memory_order_relaxed)) return 0;
  return atomic_load_explicit(&host->watched_since, memory_order_relaxed);
}

bool slu_run_end(slu_host *host) {
  bool was_killed = false;
  if (host->watched) {
    uint64_t state = atomic_load_explicit(&host->run_state, memory_order_relaxed);
    uint64_t running = (state & ~(uint64_t)STATE_MASK) | STATE_RUNNING;
    if (!atomic_compare_exchange_strong(&host->run_state, &running, running & ~(uint64_t)STATE_MASK)) {
      // Claimed by the watchdog: its signal is on the way to this very thread.
      while (atomic_load(&host->kill_delivered) == 0) {
      }
      atomic_store(&host->kill_delivered, 0);
      atomic_store(&host->run_state, state & ~(uint64_t)STATE_MASK);
      was_killed = true;
    }
    current_host = NULL;
  }
  if (host->abort != SLU_ABORT_NONE) lua_sethook(host->state, NULL, 0, 0);
  if (was_killed && host->abort == SLU_ABORT_NONE) host->abort = SLU_ABORT_CPU;
  return was_killed;
}
