#ifndef SLUICE_CJQ_H
#define SLUICE_CJQ_H

#include <stddef.h>

// A compiled jq program with memory of its own.
//
// libjq aborts the process when memory ends or an assertion fails, and cannot be told how much it may take. So its
// allocator and its assertions are replaced for the whole process: each allocation belongs to the program that was
// entered on its thread, has a limit, and a failure leaves the call with an error instead. The program is then broken
// and can only be freed, which gives back all that it had. Written for libjq 1.6.
typedef struct sluice_jq sluice_jq;

enum sluice_jq_status {
  SLUICE_JQ_RESULT = 0,
  // The program ended without a result.
  SLUICE_JQ_EMPTY = 1,
  // The program raised an error; the output is its message.
  SLUICE_JQ_ERROR = 2,
  // `sluice_jq_stop` was called.
  SLUICE_JQ_STOPPED = 3,
  // More memory was asked for than the limit.
  SLUICE_JQ_MEMORY = 4,
  // An assertion of libjq failed; the output says which.
  SLUICE_JQ_FAULT = 5,
};

// Whether the allocator of libjq is the one here; without it nothing may be run.
int sluice_jq_is_contained(void);

// Compiles a program. On failure gives NULL, and in `message` text to be freed with `free`.
//
// `limit` is the most memory in bytes that compiling and each run may take beside what the program itself holds.
sluice_jq *sluice_jq_compile(const char *program, size_t limit, char **message);

// Runs the program over one JSON text up to its first result. `output` is to be freed with `free`.
//
// One thread at a time. After SLUICE_JQ_MEMORY and SLUICE_JQ_FAULT the program must be freed.
int sluice_jq_run(sluice_jq *program, const char *input, int length, char **output, size_t *output_length);

// Ends a run that is under way on another thread. Has no effect on a run that has not begun yet: the caller repeats it.
// Must not be called when the program may be freed meanwhile.
void sluice_jq_stop(sluice_jq *program);

void sluice_jq_free(sluice_jq *program);

#endif
