// SPDX-License-Identifier: Apache-2.0
#include "text/regex_splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"

namespace glint {
namespace {

template <auto* kFree>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const { kFree(pointer); }
};
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

// Per match. A sane pattern takes a few steps per character of its match; hostile ones take exponentially many.
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr size_t kJitStackStart = 32 << 10;
constexpr size_t kJitStackMost = 16 << 20;

std::string reason(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct RegexSplitter::Compiled {
  std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>> code;
};

RegexSplitter::RegexSplitter(const std::string& pattern) : pattern_(pattern), compiled_(std::make_unique<Compiled>()) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr));
  if (!compiled_->code) fail("pre-tokenizer pattern '{}': {} at byte {}", printable(pattern), reason(code), offset);
  // Where the just-in-time compiler is not available, PCRE2 interprets (on the heap, under the same limit).
  pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE);
}

RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter::~RegexSplitter() = default;

void RegexSplitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  const MatchContext context(pcre2_match_context_create(nullptr));
  const MatchData match(pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr));
  const JitStack stack(pcre2_jit_stack_create(kJitStackStart, kJitStackMost, nullptr));
  if (!context || !match || !stack) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  size_t done = 0, from = 0;
  while (from < text.size()) {
    const int count = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                  PCRE2_NO_UTF_CHECK, match.get(), context.get());
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) fail("pre-tokenizer pattern '{}': {} on a text of {} bytes", printable(pattern_), reason(count), text.size());
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    if (span[1] <= span[0]) {
      // An empty match splits nothing; look again one character on.
      from = std::max(from, span[0]);
      from += std::max(1, utf8::decode(text, from).size);
      continue;
    }
    if (span[0] > done) pieces.push_back(text.substr(done, span[0] - done));
    pieces.push_back(text.substr(span[0], span[1] - span[0]));
    done = from = span[1];
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
}

}  // namespace glint
