#include "CLibFuzzer.h"

// libFuzzer's entry for programs that have a `main` of their own.
int LLVMFuzzerRunDriver(int *argument_count, char ***arguments, int (*one)(const uint8_t *bytes, size_t count));

int sluice_fuzz(int argument_count, char **arguments, int (*one)(const uint8_t *bytes, size_t count)) {
  return LLVMFuzzerRunDriver(&argument_count, &arguments, one);
}
