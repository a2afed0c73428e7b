// SPDX-License-Identifier: Apache-2.0
//
// The functions of the C API that turn text into tokens and back. Tested by tests/c_api.
#include <string_view>

#include "c_api/chat_prompt.h"
#include "c_api/status.h"

namespace glint::c_api {
namespace {

glint_status give_ids(const std::vector<int32_t>& made, int32_t* ids, size_t capacity, size_t& n) {
  n = made.size();
  if (made.empty()) return GLINT_OK;
  return give(made.data(), made.size(), made.size(), ids, capacity);
}

/// With the NUL, which is not counted.
glint_status give_text(const std::string& made, char* text, size_t capacity, size_t& n) {
  n = made.size();
  return give(made.c_str(), made.size() + 1, made.size() + 1, text, capacity);
}

}  // namespace
}  // namespace glint::c_api

using namespace glint;
using namespace glint::c_api;

extern "C" {

glint_status glint_tokenize(const glint_engine* engine, const char* text, size_t text_size, uint32_t flags, int32_t* ids,
                            size_t capacity, size_t* n) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(n, "n") = 0;
    const Tokenizer& tokenizer = require(engine, "engine").facts().tokenizer();
    if (text == nullptr && text_size > 0) fail("text is NULL");
    if ((flags & ~uint32_t{GLINT_TOKENIZE_ADD_SPECIAL | GLINT_TOKENIZE_PARSE_SPECIAL}) != 0) fail("flags: {} are unknown", flags);
    const EncodeOptions options{.add_special = (flags & GLINT_TOKENIZE_ADD_SPECIAL) != 0,
                                .parse_special = (flags & GLINT_TOKENIZE_PARSE_SPECIAL) != 0,
                                .single_bos = true,
                                .literal = {}};
    return give_ids(tokenizer.encode(text == nullptr ? "" : std::string_view(text, text_size), options), ids, capacity, *n);
  });
}

glint_status glint_detokenize(const glint_engine* engine, const int32_t* ids, size_t n_ids, uint32_t flags, char* text,
                              size_t capacity, size_t* n) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(n, "n") = 0;
    const Tokenizer& tokenizer = require(engine, "engine").facts().tokenizer();
    if (ids == nullptr && n_ids > 0) fail("ids is NULL");
    if ((flags & ~uint32_t{GLINT_DETOKENIZE_SKIP_SPECIAL}) != 0) fail("flags: {} are unknown", flags);
    DecodeOptions options;
    options.skip_special = flags != 0;
    return give_text(tokenizer.decode(std::span(ids, n_ids), options), text, capacity, *n);
  });
}

glint_status glint_chat_render(const glint_engine* engine, const glint_chat* chat, char* text, size_t capacity,
                               size_t* n) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(n, "n") = 0;
    return give_text(render(require(engine, "engine"), chat).text, text, capacity, *n);
  });
}

glint_status glint_chat_tokenize(const glint_engine* engine, const glint_chat* chat, int32_t* ids, size_t capacity,
                                 size_t* n) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(n, "n") = 0;
    const glint_engine& opened = require(engine, "engine");
    return give_ids(tokenize(opened, render(opened, chat)), ids, capacity, *n);
  });
}

}  // extern "C"
