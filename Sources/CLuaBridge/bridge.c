// States, protected operations on them, and runs of plugin phases.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

// Bytes of an error's message and of its traceback that are kept.
#define MESSAGE_LIMIT 4096
#define TRACEBACK_LIMIT 8192
// A block may take this part of the memory, and 1 MiB in any case.
#define BLOCK_SHARE 4
#define SMALL_BLOCK (1u << 20)
// Bytes that an aborted run may leave to the collector's own time.
#define COLLECTED_AT_ONCE (1 << 20)
// Nodes for argument tables that stay after a run.
#define NODES_KEPT 65536u

// MARK: Memory

// In front of every block of the state: the account that it belongs to. LuaJIT wants blocks on multiples of 8 bytes.
typedef struct block {
  uint64_t account;
} block;

// Takes bytes off the account of a block that is freed, moved or made smaller.
static void credit(slu_host *host, uint64_t account, size_t size) {
  host->memory_used -= size;
  host->accounts[account].used -= size;
  if (account == host->account) host->run_memory -= (int64_t)size;
}

// Whether the running account may have so many more bytes; a quota that does not allow it ends the run.
static bool may_grow(slu_host *host, size_t size) {
  if (host->depth == 0) return true;
  const slu_account *account = &host->accounts[host->account];
  if (account->quota.request_memory != 0 && host->run_memory + (int64_t)size > (int64_t)account->quota.request_memory) {
    slu_abort(host, SLU_ABORT_REQUEST_MEMORY);
    return false;
  }
  if (account->quota.plugin_memory != 0 && account->used + size > account->quota.plugin_memory) {
    slu_abort(host, SLU_ABORT_PLUGIN_MEMORY);
    return false;
  }
  return true;
}

static void *allocate(void *context, void *memory, size_t old_size, size_t new_size) {
  slu_host *host = context;
  block *old = memory == NULL ? NULL : (block *)memory - 1;
  if (old == NULL) old_size = 0;
  if (new_size == 0) {
    if (old == NULL) return NULL;
    credit(host, old->account, old_size);
    free(old);
    return NULL;
  }
  uint64_t owner = old == NULL ? host->account : old->account;
  if (new_size > old_size) {
    if (host->memory_used + (new_size - old_size) > host->memory_limit) return NULL;
    // One huge string keeps the processor longer than any check could allow.
    if (new_size > host->memory_limit / BLOCK_SHARE && new_size > SMALL_BLOCK) return NULL;
    if (!may_grow(host, new_size - (owner == host->account ? old_size : 0))) return NULL;
  }
  block *result = realloc(old, sizeof *result + new_size);
  if (result == NULL) return NULL;
  if (old != NULL) credit(host, owner, old_size);
  // Who makes a block larger pays for all of it.
  if (new_size > old_size) owner = host->account;
  result->account = owner;
  host->memory_used += new_size;
  host->accounts[owner].used += new_size;
  if (owner == host->account) host->run_memory += (int64_t)new_size;
  return result + 1;
}

static uint32_t find_account(slu_host *host) {
  for (uint32_t index = 1; index < host->account_count; index++) {
    if (!host->accounts[index].is_open && host->accounts[index].used == 0) return index;
  }
  host->accounts = slu_grow(host->accounts, (host->account_count + 1) * sizeof *host->accounts);
  return host->account_count++;
}

uint32_t slu_host_open_account(slu_host *host, const slu_quota *quota) {
  uint32_t index = find_account(host);
  host->accounts[index] = (slu_account){.is_open = true, .quota = *quota};
  return index;
}

void slu_host_close_account(slu_host *host, uint32_t account) { host->accounts[account].is_open = false; }

static void set_error(slu_host *host, const char *message, size_t length) {
  if (length > MESSAGE_LIMIT) length = MESSAGE_LIMIT;
  host->error_message = slu_grow(host->error_message, length + 1);
  memcpy(host->error_message, message, length);
  host->error_message[length] = 0;
  host->error_length = length;
}

static void set_traceback(slu_host *host, const char *text, size_t length) {
  if (length > TRACEBACK_LIMIT) length = TRACEBACK_LIMIT;
  host->error_traceback = slu_grow(host->error_traceback, length + 1);
  if (length > 0) memcpy(host->error_traceback, text, length);
  host->error_traceback[length] = 0;
  host->traceback_length = length;
}

static void clear_traceback(slu_host *host) {
  if (host->traceback_length == 0) return;
  host->error_traceback[0] = 0;
  host->traceback_length = 0;
}

static void set_error_from(slu_host *host, lua_State *L, int index) {
  char text[96];
  switch (lua_type(L, index)) {
    case LUA_TSTRING: {
      size_t length;
      const char *message = lua_tolstring(L, index, &length);
      set_error(host, message, length);
      return;
    }
    case LUA_TNUMBER: snprintf(text, sizeof text, "%.14g", lua_tonumber(L, index)); break;
    default:
      snprintf(text, sizeof text, "(error object is a %s value)", lua_typename(L, lua_type(L, index)));
  }
  set_error(host, text, strlen(text));
}

// Runs `operation` protected; on failure the message is kept in the host.
static bool protect(slu_host *host, lua_CFunction operation, void *argument) {
  if (host->depth == 0) slu_guard_begin(&host->guard);
  int top = lua_gettop(host->state);
  int status = lua_cpcall(host->state, operation, argument);
  if (status != 0) {
    set_traceback(host, NULL, 0);
    set_error_from(host, host->state, -1);
  }
  lua_settop(host->state, top);
  return status == 0;
}

// MARK: Positions

static bool is_prelude(const lua_Debug *record) {
  return record->source != NULL && strcmp(record->source, SLU_PRELUDE_SOURCE) == 0;
}

// The nearest Lua code of a plugin above the running C function.
static bool find_caller(lua_State *L, lua_Debug *record) {
  for (int level = 1; level < 16 && lua_getstack(L, level, record); level++) {
    lua_getinfo(L, "Sl", record);
    if (record->currentline > 0 && !is_prelude(record)) return true;
  }
  return false;
}

void slu_note_place(lua_State *L, slu_host *host) {
  lua_Debug record;
  if (host->abort_line != 0) return;
  for (int level = 0; level < 16 && lua_getstack(L, level, &record); level++) {
    lua_getinfo(L, "Sl", &record);
    if (record.currentline <= 0 || is_prelude(&record)) continue;
    host->abort_line = record.currentline;
    snprintf(host->abort_source, sizeof host->abort_source, "%s", record.short_src);
    return;
  }
}

int slu_raise(lua_State *L) {
  lua_Debug record;
  if (lua_type(L, -1) == LUA_TSTRING && find_caller(L, &record)) {
    lua_pushfstring(L, "%s:%d: ", record.short_src, record.currentline);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int native_raise(lua_State *L) {
  lua_settop(L, 1);
  return slu_raise(L);
}

// MARK: Calls from Lua

static void reserve_arguments(slu_call *call, int count) {
  if (count <= call->argument_capacity) return;
  call->argument_capacity = count + 16;
  call->arguments = slu_grow(call->arguments, (size_t)call->argument_capacity * sizeof(slu_value));
}

static void make_text(lua_State *L, int index) {
  if (luaL_callmeta(L, index, "__tostring") && lua_type(L, -1) == LUA_TSTRING) {
    lua_replace(L, index);
    return;
  }
  switch (lua_type(L, index)) {
    case LUA_TNIL: lua_pushliteral(L, "nil"); break;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER:
      lua_pushvalue(L, index);
      lua_tolstring(L, -1, NULL);
      break;
    case LUA_TSTRING: return;
    default:
      if (lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL) {
        lua_pushliteral(L, "userdata: NULL");
      } else {
        lua_pushfstring(L, "%s: %p", lua_typename(L, lua_type(L, index)), lua_topointer(L, index));
      }
  }
  lua_replace(L, index);
}

static void read_argument(lua_State *L, int index, const slu_function *function, slu_call *call) {
  slu_value *value = &call->arguments[index - 1];
  value->flags = 0;
  switch (lua_type(L, index)) {
    case LUA_TNIL: value->kind = SLU_NIL; return;
    case LUA_TBOOLEAN: value->kind = lua_toboolean(L, index) ? SLU_TRUE : SLU_FALSE; return;
    case LUA_TNUMBER:
      value->kind = SLU_NUMBER;
      value->number = lua_tonumber(L, index);
      return;
    case LUA_TSTRING:
      value->kind = SLU_STRING;
      value->bytes = lua_tolstring(L, index, &value->length);
      return;
    case LUA_TTABLE:
      if (index <= 8 && function->wants & ((uint32_t)SLU_WANTS_JSON_ARGUMENT << (index - 1))) {
        value->kind = SLU_STRING;
        value->flags = SLU_FLAG_JSON;
        // The text takes the table's place, so that Lua owns it; another argument may be encoded after it.
        const char *text = slu_json_encode(L, index, &value->length);
        lua_pushlstring(L, text, value->length);
        lua_replace(L, index);
        value->bytes = lua_tolstring(L, index, &value->length);
        return;
      }
      value->kind = SLU_TABLE;
      value->count = 0;
      value->offset = SLU_NO_TREE;
      value->bytes = "table";
      value->length = 5;
      if (function->wants & SLU_WANTS_TABLES) {
        size_t offset = call->node_count;
        slu_tree_read(L, index, call);
        value->offset = offset;
        value->count = call->nodes[offset].count;
        value->flags = call->nodes[offset].flags;
      }
      return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        value->kind = SLU_NULL;
        return;
      }
    // fall through
    default:
      value->kind = SLU_OTHER;
      value->bytes = lua_typename(L, lua_type(L, index));
      value->length = strlen(value->bytes);
  }
}

// Ends the phase: by yielding for good where that is possible, else by an error that cannot be caught.
static int leave(lua_State *L, slu_host *host) {
  host->exiting = true;
  if (L == host->running.state && lua_isyieldable(L)) return lua_yield(L, 0);
  slu_abort(host, SLU_ABORT_EXIT);
  return luaL_error(L, "phase ended");
}

static int call_function(lua_State *L) {
  const slu_function *function = lua_touserdata(L, lua_upvalueindex(1));
  slu_host *host = function->host;
  slu_call *call = &host->call;
  slu_check_stack(L);
  if (function->phases != 0 && (function->phases & (1u << host->phase)) == 0) {
    lua_pushfstring(L, "function cannot be called in %s phase (only in: %s)", host->phase_name,
                    function->phase_names);
    return slu_raise(L);
  }
  int count = lua_gettop(L);
  reserve_arguments(call, count);
  call->node_count = 0;
  for (int index = 1; index <= count; index++) {
    if (function->wants & SLU_WANTS_TEXT) make_text(L, index);
    read_argument(L, index, function, call);
  }
  call->argument_count = count;
  slu_clear_results(call);
  if (function->wants & SLU_WANTS_POSITION) {
    lua_Debug record;
    call->line = 0;
    call->source[0] = 0;
    if (find_caller(L, &record)) {
      call->line = record.currentline;
      snprintf(call->source, sizeof call->source, "%s", record.short_src);
    }
  }
  int32_t status = host->callback(host->context, function->index, call);
  switch (status) {
    case SLU_RETURN: return slu_results_push(L, call);
    case SLU_RAISE:
      slu_results_push(L, call);
      return slu_raise(L);
    case SLU_RAISE_PLAIN:
      slu_results_push(L, call);
      return lua_error(L);
    case SLU_SUSPEND:
      if (!lua_isyieldable(L)) {
        lua_pushliteral(L, "attempt to yield across C-call boundary");
        return slu_raise(L);
      }
      host->suspended = true;
      return lua_yield(L, 0);
    default: return leave(L, host);
  }
}

// MARK: Natives for the prelude

static slu_host *host_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

// request_table(name): a table of the running request; without a name, that of the running plugin instance.
static int native_request_table(lua_State *L) {
  slu_host *host = host_of(L);
  if (host->depth == 0) return 0;
  lua_settop(L, 1);
  if (host->request_reference == LUA_NOREF) {
    lua_createtable(L, 0, 4);
    host->request_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->request_reference);
  if (lua_isnoneornil(L, 1)) {
    lua_pushnumber(L, host->plugin_key);
  } else {
    lua_pushvalue(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
  }
  return 1;
}

// set_request_table(name, table)
static int native_set_request_table(lua_State *L) {
  slu_host *host = host_of(L);
  if (host->depth == 0) return 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (host->request_reference == LUA_NOREF) {
    lua_createtable(L, 0, 4);
    host->request_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->request_reference);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  return 0;
}

// Whether the coroutine that just yielded did so because the host waits.
static int native_is_waiting(lua_State *L) {
  slu_host *host = host_of(L);
  lua_pushboolean(L, host->suspended || host->exiting);
  return 1;
}

static int native_is_main(lua_State *L) {
  lua_pushboolean(L, L == host_of(L)->running.state);
  return 1;
}

static int native_memory(lua_State *L) {
  lua_pushnumber(L, (double)host_of(L)->memory_used);
  return 1;
}

static int native_set_string_methods(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "");
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  return 0;
}

static int native_array_metatable(lua_State *L) {
  slu_push_array_metatable(L);
  return 1;
}

// Keeps the compiler away from the function at the top of the stack and from those inside of it: machine code of a
// loop could not be stopped.
static void leave_uncompiled(lua_State *L, const slu_host *host) {
  if (host->compiler) luaJIT_setmode(L, -1, LUAJIT_MODE_ALLFUNC | LUAJIT_MODE_OFF);
}

// compile(text, name, environment): text chunks only.
static int native_compile(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  const char *name = luaL_checkstring(L, 2);
  if (luaL_loadbufferx(L, text, length, name, "t") != 0) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  leave_uncompiled(L, host_of(L));
  if (lua_istable(L, 3)) {
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
  }
  return 1;
}

// null(), the value of JSON null.
static const luaL_Reg natives[] = {
    {"raise", native_raise},
    {"request_table", native_request_table},
    {"set_request_table", native_set_request_table},
    {"is_waiting", native_is_waiting},
    {"is_main", native_is_main},
    {"memory", native_memory},
    {"set_string_methods", native_set_string_methods},
    {"array_metatable", native_array_metatable},
    {"new_json", slu_json_new_instance},
    {"compile", native_compile},
    {"regex_compile", slu_regex_compile},
    {"regex_match", slu_regex_match},
    {NULL, NULL},
};

// MARK: Hosts

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
  host->state = lua_newstate(allocate, host);
  if (host->state == NULL) {
    free(host->accounts);
    free(host);
    return NULL;
  }
  if (!protect(host, open_state, host)) {
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
    lua_pushcclosure(L, call_function, 1);
    lua_setfield(L, -2, host->functions[index].name);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, "sluice.functions");
  lua_newtable(L);
  for (const luaL_Reg *native = natives; native->name != NULL; native++) {
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
  return protect(host, define_functions, host);
}

typedef struct operation {
  slu_host *host;
  const char *name;
  const char *text;
  size_t length;
  const char *first;
  const char *second;
  int32_t reference;
  int32_t result;
  bool is_trusted;
} operation;

static int run_trusted(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, op->text, op->length, op->name, "t") != 0) return lua_error(L);
  // Loops of the runtime's own code go over what plugins give them.
  leave_uncompiled(L, op->host);
  lua_getfield(L, LUA_REGISTRYINDEX, "sluice.functions");
  lua_getfield(L, LUA_REGISTRYINDEX, "sluice.natives");
  lua_call(L, 2, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_run_trusted(slu_host *host, const char *name, const char *text, size_t length) {
  operation op = {.host = host, .name = name, .text = text, .length = length, .result = LUA_NOREF};
  return protect(host, run_trusted, &op) ? op.result : LUA_NOREF;
}

static int call_member(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_getfield(L, -1, op->name);
  lua_pushstring(L, op->first);
  lua_pushstring(L, op->second);
  lua_call(L, 2, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_call_member(slu_host *host, int32_t table, const char *member, const char *first,
                             const char *second) {
  operation op = {.host = host, .reference = table, .name = member, .first = first, .second = second,
                  .result = LUA_NOREF};
  return protect(host, call_member, &op) ? op.result : LUA_NOREF;
}

static int load_chunk(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, op->text, op->length, op->name, "t") != 0) return lua_error(L);
  if (!op->is_trusted) leave_uncompiled(L, op->host);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_setfenv(L, -2);
  op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_load(slu_host *host, int32_t environment, const char *name, const char *text, size_t length,
                      bool is_trusted) {
  operation op = {.host = host, .reference = environment, .name = name, .text = text, .length = length,
                  .result = LUA_NOREF, .is_trusted = is_trusted};
  return protect(host, load_chunk, &op) ? op.result : LUA_NOREF;
}

static int function_member(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  if (!lua_istable(L, -1)) return 0;
  lua_pushstring(L, op->name);
  lua_rawget(L, -2);
  if (lua_isfunction(L, -1)) op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_function_member(slu_host *host, int32_t table, const char *member) {
  operation op = {.host = host, .reference = table, .name = member, .result = LUA_NOREF};
  return protect(host, function_member, &op) ? op.result : LUA_NOREF;
}

static int keep_result(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  if (slu_results_push(L, &op->host->call) == 0) return 0;
  lua_settop(L, 2);
  op->result = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_keep_result(slu_host *host) {
  operation op = {.host = host, .result = LUA_NOREF};
  return protect(host, keep_result, &op) ? op.result : LUA_NOREF;
}

static int call_with_result(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_getfield(L, -1, op->name);
  lua_pushstring(L, op->first);
  lua_pushstring(L, op->second);
  int count = slu_results_push(L, &op->host->call);
  lua_call(L, 2 + count, 1);
  op->result = lua_isnil(L, -1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int32_t slu_host_call_with_result(slu_host *host, int32_t table, const char *member, const char *first,
                                  const char *second) {
  operation op = {.host = host, .reference = table, .name = member, .first = first, .second = second,
                  .result = LUA_NOREF};
  return protect(host, call_with_result, &op) ? op.result : LUA_NOREF;
}

void slu_host_release(slu_host *host, int32_t reference) {
  // Only writes numbers into slots that exist: cannot raise.
  if (reference >= 0) luaL_unref(host->state, LUA_REGISTRYINDEX, reference);
}

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

void slu_host_collect_garbage(slu_host *host) {
  // A full state cannot even begin to collect: some memory beyond the limit is lent for that.
  static const size_t reserve = 1u << 20;
  host->memory_limit += reserve;
  protect(host, collect, NULL);
  host->memory_limit -= reserve;
}

static int read_shared(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, op->reference);
  lua_pushliteral(L, "shared");
  lua_rawget(L, -2);
  if (!lua_istable(L, -1)) return 0;
  if (op->name) {
    lua_pushstring(L, op->name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) return 0;
  }
  op->host->call.node_count = 0;
  slu_tree_read(L, lua_gettop(L), &op->host->call);
  op->result = 1;
  return 0;
}

bool slu_host_read_shared(slu_host *host, int32_t request_reference, const char *key) {
  if (request_reference == LUA_NOREF) return false;
  operation op = {.host = host, .reference = request_reference, .name = key, .result = 0};
  return protect(host, read_shared, &op) && op.result == 1;
}

// MARK: Runs

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
  return protect(host, make_thread, thread);
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
  set_traceback(host, text, length);
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
  set_error(host, text, strlen(text));
}

static int32_t fail(slu_host *host, slu_thread thread, int32_t reason) {
  set_traceback(host, NULL, 0);
  host->failure = reason;
  if (reason != SLU_ABORT_NONE && reason != SLU_ABORT_STATE_MEMORY) {
    set_limit_error(host, reason);
  } else if (lua_gettop(thread.state) > 0) {
    set_error_from(host, thread.state, -1);
  } else {
    set_error(host, "unknown error", 13);
  }
  // The frames of the failed coroutine are still there; the message must survive a failure to walk them. Of a run that
  // was aborted the place is known, and the frames tell no lines.
  if (reason == SLU_ABORT_NONE || reason == SLU_ABORT_STATE_MEMORY) lua_cpcall(host->state, make_traceback, host);
  lua_settop(host->state, 0);
  slu_host_release(host, thread.reference);
  return SLU_RUN_FAILED;
}

static int keep_first(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
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
      operation op = {.host = host, .result = LUA_NOREF};
      bool is_kept = protect(host, keep_first, &op);
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
    set_error(host, message, sizeof message - 1);
    set_traceback(host, NULL, 0);
    slu_host_release(host, thread.reference);
    return SLU_RUN_FAILED;
  }
  int32_t result = fail(host, thread, status == LUA_ERRMEM ? SLU_ABORT_STATE_MEMORY : SLU_ABORT_NONE);
  if (status == LUA_ERRMEM) slu_host_collect_garbage(host);
  return result;
}

static int push_onto_thread(lua_State *L) {
  operation *op = lua_touserdata(L, 1);
  lua_State *thread = op->host->running.state;
  int count = slu_results_push(L, &op->host->call);
  if (!lua_checkstack(thread, count)) return luaL_error(L, "too many results");
  lua_xmove(L, thread, count);
  op->result = count;
  return 0;
}

int32_t slu_host_start(slu_host *host, int32_t function, int32_t self, int32_t argument, int32_t *keep) {
  static const char reentered[] = "a phase cannot start inside another one";
  clear_traceback(host);
  if (host->depth != 0) {
    set_error(host, reentered, sizeof reentered - 1);
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
  operation op = {.host = host, .result = 0};
  if (!protect(host, push_onto_thread, &op)) {
    slu_host_release(host, thread.reference);
    return SLU_RUN_FAILED;
  }
  return run(host, thread, op.result, keep, true);
}

void slu_host_abandon(slu_host *host, slu_thread thread) { slu_host_release(host, thread.reference); }
