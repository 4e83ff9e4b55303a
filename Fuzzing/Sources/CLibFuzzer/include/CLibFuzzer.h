#pragma once

#include <stddef.h>
#include <stdint.h>

// Runs libFuzzer with the arguments of its command line; `one` takes one input and returns 0.
int sluice_fuzz(int argument_count, char **arguments, int (*one)(const uint8_t *bytes, size_t count));
