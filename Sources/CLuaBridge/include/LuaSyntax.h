#pragma once

#include <stdbool.h>
#include <stddef.h>

// Whether a text chunk compiles; nothing of it runs. If it does not, `message` gets Lua's sentence, which names the
// chunk by its own text, as `load` does; it is cut to `capacity` and ends with a zero byte. Compiled code is refused.
bool lua_syntax_check(const char *text, size_t length, size_t memory_limit, char *message, size_t capacity);
