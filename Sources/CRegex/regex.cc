#include "CRegex.h"

#include <re2/re2.h>

#include <climits>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct sluice_re2 {
  std::unique_ptr<RE2> expression;
  /// By group number; empty for groups without a name.
  std::vector<std::string> names;
};

namespace {

void copy_error(const std::string &text, char *error, size_t capacity) {
  if (error == nullptr || capacity == 0) return;
  const size_t length = text.size() < capacity - 1 ? text.size() : capacity - 1;
  std::memcpy(error, text.data(), length);
  error[length] = '\0';
}

RE2::Anchor anchor_of(int anchor) {
  switch (anchor) {
    case SLUICE_RE2_AT_START: return RE2::ANCHOR_START;
    case SLUICE_RE2_WHOLE: return RE2::ANCHOR_BOTH;
    default: return RE2::UNANCHORED;
  }
}

}  // namespace

sluice_re2 *sluice_re2_compile(const char *pattern, size_t length, uint32_t options, int64_t max_memory, char *error,
                               size_t error_capacity) {
  try {
    RE2::Options re2_options;
    re2_options.set_log_errors(false);
    re2_options.set_case_sensitive((options & SLUICE_RE2_CASE_INSENSITIVE) == 0);
    re2_options.set_dot_nl((options & SLUICE_RE2_DOT_MATCHES_NEWLINE) != 0);
    re2_options.set_literal((options & SLUICE_RE2_LITERAL) != 0);
    if ((options & SLUICE_RE2_BYTES) != 0) re2_options.set_encoding(RE2::Options::EncodingLatin1);
    if (max_memory > 0) re2_options.set_max_mem(max_memory);

    auto compiled = std::make_unique<sluice_re2>();
    compiled->expression =
        std::make_unique<RE2>(re2::StringPiece(length == 0 ? "" : pattern, length), re2_options);
    if (!compiled->expression->ok()) {
      copy_error(compiled->expression->error(), error, error_capacity);
      return nullptr;
    }
    compiled->names.resize(static_cast<size_t>(compiled->expression->NumberOfCapturingGroups()) + 1);
    for (const auto &[index, name] : compiled->expression->CapturingGroupNames()) {
      compiled->names[static_cast<size_t>(index)] = name;
    }
    return compiled.release();
  } catch (const std::exception &failure) {
    copy_error(failure.what(), error, error_capacity);
  } catch (...) {
    copy_error("unknown failure", error, error_capacity);
  }
  return nullptr;
}

void sluice_re2_free(sluice_re2 *pattern) { delete pattern; }

size_t sluice_re2_group_count(const sluice_re2 *pattern) { return pattern->names.size() - 1; }

const char *sluice_re2_group_name(const sluice_re2 *pattern, size_t index) {
  if (index >= pattern->names.size() || pattern->names[index].empty()) return nullptr;
  return pattern->names[index].c_str();
}

int sluice_re2_match(const sluice_re2 *pattern, const char *text, size_t length, int anchor, sluice_re2_span *spans,
                     size_t span_count) {
  constexpr size_t inline_groups = 16;
  // An empty text still needs an address: RE2 tells unset groups by a null one.
  const re2::StringPiece subject(length == 0 ? "" : text, length);
  if (length > static_cast<size_t>(INT_MAX)) return 0;
  try {
    const size_t wanted = span_count < pattern->names.size() ? span_count : pattern->names.size();
    re2::StringPiece few[inline_groups];
    std::vector<re2::StringPiece> many;
    re2::StringPiece *groups = few;
    if (wanted > inline_groups) {
      many.resize(wanted);
      groups = many.data();
    }
    if (!pattern->expression->Match(subject, 0, length, anchor_of(anchor), groups, static_cast<int>(wanted))) return 0;
    for (size_t index = 0; index < span_count; index += 1) {
      if (index < wanted && groups[index].data() != nullptr) {
        spans[index].start = groups[index].data() - subject.data();
        spans[index].end = spans[index].start + static_cast<ptrdiff_t>(groups[index].size());
      } else {
        spans[index].start = -1;
        spans[index].end = -1;
      }
    }
    return 1;
  } catch (...) {
    return -1;
  }
}
