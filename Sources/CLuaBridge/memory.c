// Memory of a state: who it belongs to, what it may hold, and its collection.
#include <stdlib.h>

#include "internal.h"

// A block may take this part of the memory, and 1 MiB in any case.
#define BLOCK_SHARE 4
#define SMALL_BLOCK (1u << 20)

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

void *slu_allocate(void *context, void *memory, size_t old_size, size_t new_size) {
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

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

void slu_host_collect_garbage(slu_host *host) {
  // A full state cannot even begin to collect: some memory beyond the limit is lent for that.
  static const size_t reserve = 1u << 20;
  host->memory_limit += reserve;
  slu_protect(host, collect, NULL);
  host->memory_limit -= reserve;
}
