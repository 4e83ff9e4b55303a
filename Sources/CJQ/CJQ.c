#define _GNU_SOURCE
#include "CJQ.h"

#include <assert.h>
#include <dlfcn.h>
#include <jq.h>
#include <malloc.h>
#include <oniguruma.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: Memory

// Stands before each block. The mark is last: libjq also frees here what the C library allocated, before which the C
// library keeps a size, and no size has this value.
typedef struct block {
  struct block *previous;
  struct block *next;
  struct sluice_jq *owner;
  size_t size;
  uint64_t unused;
  uint64_t mark;
} block;

static const uint64_t block_mark = 0xA5C35A3C96E1D278;

// Memory that libjq resized. It is the C library's own, because libjq gives its stack back with `free`.
typedef struct resized {
  void *pointer;
  size_t size;
} resized;

struct sluice_jq {
  jq_state *state;
  // A ring with all blocks.
  block blocks;
  resized *resized;
  size_t resized_count;
  size_t resized_capacity;
  size_t used;
  size_t limit;
  size_t allowance;
  jmp_buf exit;
  // Whether `exit` may be jumped to.
  int entered;
  int compiled;
  int broken;
  // Messages of the compiler.
  char message[2048];
};

static _Thread_local struct sluice_jq *current;

static _Noreturn void leave(struct sluice_jq *program, int status) {
  program->entered = 0;
  program->broken = 1;
  current = NULL;
  longjmp(program->exit, status);
}

static void refuse(struct sluice_jq *program) {
  if (program && program->entered) leave(program, SLUICE_JQ_MEMORY);
}

// Leaves the call if that many further bytes are too many.
static void ask_for(struct sluice_jq *program, size_t size) {
  if (program && program->entered && (size > program->limit || program->used > program->limit - size))
    refuse(program);
}

static void *allocate(size_t size) {
  struct sluice_jq *program = current;
  if (size > SIZE_MAX - sizeof(block)) {
    refuse(program);
    return NULL;
  }
  size_t whole = size + sizeof(block);
  ask_for(program, whole);
  block *made = malloc(whole);
  if (!made) {
    refuse(program);
    return NULL;
  }
  made->size = whole;
  made->mark = block_mark;
  made->owner = program;
  if (program) {
    program->used += whole;
    made->next = &program->blocks;
    made->previous = program->blocks.previous;
    made->previous->next = made;
    program->blocks.previous = made;
  } else {
    made->next = made->previous = NULL;
  }
  return made + 1;
}

static resized *find_resized(struct sluice_jq *program, void *pointer) {
  for (size_t index = program ? program->resized_count : 0; index > 0; index--)
    if (program->resized[index - 1].pointer == pointer) return &program->resized[index - 1];
  return NULL;
}

static void forget_resized(struct sluice_jq *program, resized *entry) {
  program->used -= entry->size;
  *entry = program->resized[--program->resized_count];
}

static void release(void *pointer) {
  if (!pointer) return;
  block *held = (block *)pointer - 1;
  if (held->mark != block_mark) {
    resized *entry = find_resized(current, pointer);
    if (entry) forget_resized(current, entry);
    return free(pointer);
  }
  if (held->owner) {
    held->owner->used -= held->size;
    held->previous->next = held->next;
    held->next->previous = held->previous;
  }
  held->mark = 0;
  free(held);
}

static void *resize(void *pointer, size_t size) {
  struct sluice_jq *program = current;
  resized *entry = pointer ? find_resized(program, pointer) : NULL;
  size_t old = !pointer ? 0
             : entry    ? entry->size
             : ((block *)pointer - 1)->mark == block_mark ? ((block *)pointer - 1)->size - sizeof(block)
                                                          : malloc_usable_size(pointer);
  ask_for(program, size);
  if (program && program->resized_count == program->resized_capacity) {
    size_t capacity = program->resized_capacity ? program->resized_capacity * 2 : 8;
    resized *grown = realloc(program->resized, capacity * sizeof *grown);
    if (!grown) {
      refuse(program);
      return NULL;
    }
    program->resized = grown;
    program->resized_capacity = capacity;
  }
  void *moved = malloc(size);
  if (!moved) {
    refuse(program);
    return NULL;
  }
  if (pointer) {
    memcpy(moved, pointer, old < size ? old : size);
    release(pointer);
  }
  if (program) {
    program->resized[program->resized_count++] = (resized){moved, size};
    program->used += size;
  }
  return moved;
}

// The allocator of libjq, which calls these by name.
void *jv_mem_alloc(size_t size) { return allocate(size); }
void *jv_mem_alloc_unguarded(size_t size) { return allocate(size); }
void jv_mem_free(void *pointer) { release(pointer); }

// While a program runs these are the C library's own blocks and not kept track of: libjq gives some of them back with
// `free`, and all within the function that asked for them.
void *jv_mem_calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return allocate(SIZE_MAX);
  struct sluice_jq *program = current;
  if (program && program->entered && program->compiled) {
    ask_for(program, count * size);
    void *pointer = calloc(count, size);
    if (!pointer) refuse(program);
    return pointer;
  }
  void *pointer = allocate(count * size);
  if (pointer) memset(pointer, 0, count * size);
  return pointer;
}

void *jv_mem_calloc_unguarded(size_t count, size_t size) { return jv_mem_calloc(count, size); }

char *jv_mem_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = allocate(size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

char *jv_mem_strdup_unguarded(const char *text) { return jv_mem_strdup(text); }

void *jv_mem_realloc(void *pointer, size_t size) { return resize(pointer, size); }

// MARK: What libjq may not do

// libjq reads modules and a file of the home directory with this; here every file is an empty one.
jv jv_load_file(const char *path, int raw) {
  (void)path;
  return raw ? jv_string("") : jv_array();
}

// A failed assertion ends the run if it is libjq's, else the process as usual.
_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function) {
  struct sluice_jq *program = current;
  if (program && program->entered) {
    snprintf(program->message, sizeof program->message, "assertion failed in libjq (%s)", assertion);
    leave(program, SLUICE_JQ_FAULT);
  }
  fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, line, function ? function : "?", assertion);
  fflush(stderr);
  abort();
}

// After an empty match libjq goes on one byte further, which in a text beyond ASCII may be within a character; it then
// reads past the text's end. Here such a search begins with the next character, and finds no empty match twice.
int onig_search(
    OnigRegex pattern, const OnigUChar *text, const OnigUChar *end, const OnigUChar *start, const OnigUChar *range,
    OnigRegion *region, OnigOptionType options) {
  static _Thread_local const OnigUChar *last_empty;
  static __typeof__(&onig_search) search;
  if (!search) search = (__typeof__(&onig_search))dlsym(RTLD_NEXT, "onig_search");
  if (!search) return ONIG_MISMATCH;
  if (!current) return search(pattern, text, end, start, range, region, options);
  const OnigUChar *from = start;
  if (start == text) {
    last_empty = NULL;
  } else {
    if (last_empty && from <= last_empty) from = last_empty + 1;
    while (from < end && (*from & 0xC0) == 0x80) from++;
    if (from >= end) return ONIG_MISMATCH;
  }
  int found = search(pattern, text, end, from, range, region, options);
  if (found >= 0) last_empty = region && region->beg[0] == region->end[0] ? text + region->beg[0] : NULL;
  return found;
}

// Before the text of each program, on its first line so that line numbers hold: no environment of the process, no
// files, no standard error, no end of the process. An `import` behind it is a syntax error. A remainder by -1 is 0 by
// arithmetic; libjq would divide the least integer by it, which ends the process.
static const char prelude[] =
    "{} as $ENV | def env: {}; def stderr: .; def debug: .; def halt: error(\"halt is not available\"); "
    "def halt_error: error(\"halt_error is not available\"); "
    "def halt_error(f): error(\"halt_error is not available\"); "
    "def modulemeta: error(\"modulemeta is not available\"); def get_search_list: []; "
    "def input_filename: null; def input: error(\"input is not available\"); def inputs: input; "
    "def _remainder($a; $b): _mod($a; $b); "
    "def _mod($a; $b): if ($a | type) == \"number\" and ($b | type) == \"number\" and $b <= -1 and $b > -2 then 0 "
    "else _remainder($a; $b) end; ";

static void compile_message(void *context, jv message) {
  struct sluice_jq *program = context;
  jv text = jq_format_error(message);
  if (jv_get_kind(text) == JV_KIND_STRING) {
    const char *words = jv_string_value(text);
    // What comes last only counts the errors before it.
    if (!strstr(words, "compile error")) {
      size_t length = strlen(program->message);
      const char *ours = strstr(words, prelude);
      const char *rest = ours ? ours + sizeof prelude - 1 : "";
      int before = ours ? (int)(ours - words) : (int)strlen(words);
      const char *separator = length > 0 ? "\n" : "";
      snprintf(
          program->message + length, sizeof program->message - length, "%s%.*s%s", separator, before, words, rest);
    }
  }
  jv_free(text);
}

static void ignore_message(void *context, jv message) {
  (void)context;
  jv_free(message);
}

// MARK: Programs

static void limit_patterns(void) {
  // Steps of one regular expression: some tens of milliseconds.
  onig_set_retry_limit_in_match(1000000);
  onig_set_retry_limit_in_search(1000000);
}

int sluice_jq_is_contained(void) {
  struct sluice_jq probe;
  memset(&probe, 0, sizeof probe);
  probe.blocks.next = probe.blocks.previous = &probe.blocks;
  probe.limit = 1 << 20;
  current = &probe;
  jv text = jv_string("probe");
  int contained = probe.used > 0;
  jv_free(text);
  current = NULL;
  return contained && probe.used == 0;
}

static char *copied(const char *text, size_t length) {
  char *copy = malloc(length + 1);
  if (copy) {
    memcpy(copy, text, length);
    copy[length] = 0;
  }
  return copy;
}

static void empty_blocks(struct sluice_jq *program) {
  block *next = program->blocks.next;
  while (next != &program->blocks) {
    block *held = next;
    next = held->next;
    free(held);
  }
  for (size_t index = 0; index < program->resized_count; index++) free(program->resized[index].pointer);
  free(program->resized);
}

// Starts over with a value; libjq frees its stack first.
static void start(struct sluice_jq *program, jv value) {
  size_t freed = program->resized_count;
  jq_start(program->state, value, 0);
  for (size_t index = 0; index < freed; index++) program->used -= program->resized[index].size;
  program->resized_count -= freed;
  memmove(program->resized, program->resized + freed, program->resized_count * sizeof *program->resized);
}

sluice_jq *sluice_jq_compile(const char *text, size_t limit, char **message) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, limit_patterns);
  *message = NULL;
  struct sluice_jq *program = calloc(1, sizeof *program);
  size_t size = sizeof prelude + strlen(text);
  char *whole = malloc(size);
  if (!program || !whole) {
    free(program);
    free(whole);
    *message = copied("out of memory", 13);
    return NULL;
  }
  memcpy(whole, prelude, sizeof prelude - 1);
  strcpy(whole + sizeof prelude - 1, text);
  program->blocks.next = program->blocks.previous = &program->blocks;
  program->limit = limit;
  program->allowance = limit;
  int status = setjmp(program->exit);
  if (status == 0) {
    current = program;
    program->entered = 1;
    program->state = jq_init();
    jq_set_error_cb(program->state, compile_message, program);
    jq_set_debug_cb(program->state, ignore_message, NULL);
    jq_set_attr(program->state, jv_string("JQ_LIBRARY_PATH"), jv_array());
    int compiled = jq_compile(program->state, whole);
    if (compiled) jq_set_error_cb(program->state, ignore_message, NULL);
    program->entered = 0;
    current = NULL;
    if (compiled) {
      free(whole);
      program->limit = program->used + program->allowance;
      program->compiled = 1;
      return program;
    }
  } else if (status == SLUICE_JQ_MEMORY) {
    snprintf(program->message, sizeof program->message, "the program takes too much memory to compile");
  }
  free(whole);
  const char *said = program->message[0] ? program->message : "the program cannot be compiled";
  *message = copied(said, strlen(said));
  sluice_jq_free(program);
  return NULL;
}

// The message of an error: the text itself, or the JSON of what was raised.
static void describe(jv message, char **output, size_t *length) {
  jv text = jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0);
  *length = (size_t)jv_string_length_bytes(jv_copy(text));
  *output = copied(jv_string_value(text), *length);
  jv_free(text);
}

int sluice_jq_run(sluice_jq *program, const char *input, int length, char **output, size_t *output_length) {
  *output = NULL;
  *output_length = 0;
  program->message[0] = 0;
  int status = setjmp(program->exit);
  if (status != 0) {
    *output_length = strlen(program->message);
    *output = copied(program->message, *output_length);
    return status;
  }
  current = program;
  program->entered = 1;
  jv value = jv_parse_sized(input, length);
  if (!jv_is_valid(value)) {
    jv message = jv_invalid_get_msg(value);
    describe(message, output, output_length);
    status = SLUICE_JQ_ERROR;
  } else {
    start(program, value);
    jv result = jq_next(program->state);
    if (jq_halted(program->state)) {
      jv_free(result);
      status = SLUICE_JQ_STOPPED;
    } else if (jv_is_valid(result)) {
      jv text = jv_dump_string(result, 0);
      *output_length = (size_t)jv_string_length_bytes(jv_copy(text));
      *output = copied(jv_string_value(text), *output_length);
      jv_free(text);
      status = SLUICE_JQ_RESULT;
    } else if (jv_invalid_has_msg(jv_copy(result))) {
      describe(jv_invalid_get_msg(result), output, output_length);
      status = SLUICE_JQ_ERROR;
    } else {
      jv_free(result);
      status = SLUICE_JQ_EMPTY;
    }
    // What the program holds of this run is given back now.
    start(program, jv_null());
  }
  program->entered = 0;
  current = NULL;
  return status;
}

void sluice_jq_stop(sluice_jq *program) {
  if (!jq_halted(program->state)) jq_halt(program->state, jv_invalid(), jv_invalid());
}

void sluice_jq_free(sluice_jq *program) {
  if (!program) return;
  if (!program->broken && program->state) {
    current = program;
    jq_teardown(&program->state);
    current = NULL;
    // What is left of these was freed by libjq.
    program->resized_count = 0;
  }
  empty_blocks(program);
  free(program);
}
