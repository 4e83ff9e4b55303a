// States: how they are made and freed, and the functions that they begin with.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// The check of C code that Lua calls: the signal that ends a run may have come meanwhile.
static void check_run(lua_State *L, slu_guard *guard) {
  slu_host *host = (slu_host *)guard;
  if (*(volatile int32_t *)&host->abort == SLU_ABORT_NONE) return;
  slu_note_place(L, host);
  luaL_error(L, "execution aborted");
}

static void exceed_coroutines(lua_State *L, slu_guard *guard) {
  slu_host *host = (slu_host *)guard;
  slu_note_place(L, host);
  slu_abort(host, SLU_ABORT_COROUTINES);
}

static int open_state(lua_State *L) {
  luaL_openlibs(L);
  slu_open_guarded(L);
  slu_json_setup(L);
  return 0;
}

slu_host *slu_host_new(void *context, slu_callback callback, size_t memory_limit, const slu_quota *quota,
                       bool compiler) {
  slu_host *host = calloc(1, sizeof *host);
  if (host == NULL) return NULL;
  host->accounts = slu_grow(NULL, sizeof *host->accounts);
  host->account_count = 1;
  host->accounts[0] = (slu_account){.is_open = true, .quota = *quota};
  host->compiler = compiler;
  host->context = context;
  host->callback = callback;
  host->memory_limit = memory_limit;
  host->guard.check = check_run;
  host->guard.exceed = exceed_coroutines;
  host->request_reference = LUA_NOREF;
  host->running.reference = LUA_NOREF;
  host->phase_name = "init_worker";
  host->state = lua_newstate(slu_allocate, host);
  if (host->state == NULL) {
    free(host->accounts);
    free(host);
    return NULL;
  }
  if (!slu_protect(host, open_state, host)) {
    lua_close(host->state);
    free(host->accounts);
    free(host->error_message);
    free(host->error_traceback);
    free(host);
    return NULL;
  }
  // After the libraries: opening `jit` turns the compiler on.
  luaJIT_setmode(host->state, 0, LUAJIT_MODE_ENGINE | (compiler ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
  slu_watchdog_add(host);
  return host;
}

void slu_host_free(slu_host *host) {
  if (host == NULL) return;
  slu_watchdog_remove(host);
  lua_close(host->state);
  for (uint32_t index = 0; index < host->function_count; index++) {
    free(host->functions[index].name);
    free(host->functions[index].phase_names);
  }
  free(host->functions);
  free(host->accounts);
  free(host->pool);
  free(host->call.arguments);
  free(host->call.nodes);
  free(host->call.results);
  free(host->call.bytes);
  free(host->error_message);
  free(host->error_traceback);
  free(host);
}

static int define_functions(lua_State *L) {
  slu_host *host = lua_touserdata(L, 1);
  lua_createtable(L, 0, (int)host->function_count);
  for (uint32_t index = 0; index < host->function_count; index++) {
    lua_pushlightuserdata(L, &host->functions[index]);
    lua_pushcclosure(L, slu_call_function, 1);
    lua_setfield(L, -2, host->functions[index].name);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, "sluice.functions");
  lua_newtable(L);
  for (const luaL_Reg *native = slu_natives; native->name != NULL; native++) {
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, native->func, 1);
    lua_setfield(L, -2, native->name);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, "sluice.natives");
  return 0;
}

bool slu_host_define(slu_host *host, const slu_function *functions, uint32_t count) {
  host->functions = calloc(count, sizeof *functions);
  if (host->functions == NULL) return false;
  host->function_count = count;
  for (uint32_t index = 0; index < count; index++) {
    host->functions[index] = functions[index];
    host->functions[index].host = host;
    host->functions[index].name = strdup(functions[index].name);
    host->functions[index].phase_names = strdup(functions[index].phase_names);
  }
  return slu_protect(host, define_functions, host);
}
