#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// RE2 behind a C interface. No C++ exception crosses it; a compiled pattern may be used by several threads at once.

typedef struct sluice_re2 sluice_re2;

/// Options of `sluice_re2_compile`, or-ed together.
enum {
  SLUICE_RE2_CASE_INSENSITIVE = 1,
  SLUICE_RE2_DOT_MATCHES_NEWLINE = 2,
  SLUICE_RE2_LITERAL = 4,
  /// Pattern and text are bytes (Latin-1) instead of UTF-8.
  SLUICE_RE2_BYTES = 8,
};

/// Where a match may lie.
enum {
  SLUICE_RE2_ANYWHERE = 0,
  SLUICE_RE2_AT_START = 1,
  SLUICE_RE2_WHOLE = 2,
};

/// Offsets of one submatch in the text; both are -1 for a group that took no part.
typedef struct {
  ptrdiff_t start;
  ptrdiff_t end;
} sluice_re2_span;

/// Compiles a pattern of RE2's syntax.
///
/// `max_memory` bounds the program and its caches in bytes; 0 or less means RE2's default (8 MiB).
/// Returns NULL on failure, with a NUL-terminated reason in `error` (cut to its capacity).
sluice_re2 *sluice_re2_compile(const char *pattern, size_t length, uint32_t options, int64_t max_memory, char *error,
                               size_t error_capacity);

void sluice_re2_free(sluice_re2 *pattern);

/// Number of capturing groups, the whole match not counted.
size_t sluice_re2_group_count(const sluice_re2 *pattern);

/// Name of group `index` (from 1), or NULL if it has none. Lives as long as the pattern.
const char *sluice_re2_group_name(const sluice_re2 *pattern, size_t index);

/// Matches `text`. Returns 1 on a match, 0 without one, -1 when memory ran out.
///
/// On a match fills `span_count` spans: the whole match, then the groups; spans beyond the groups are -1.
/// Asking for no spans is the fastest, one span (the whole match) the next.
int sluice_re2_match(const sluice_re2 *pattern, const char *text, size_t length, int anchor, sluice_re2_span *spans,
                     size_t span_count);

#ifdef __cplusplus
}
#endif
