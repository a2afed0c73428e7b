// SPDX-License-Identifier: Apache-2.0
//
// The classifier of a reranker: a few rows that take the place of the head and say how well a document answers a query.
// Read from the file beside the model: it is a thousand products a document, so no backend need know of it.
// Called by server/rerank. Tested by tests/unit/server/rerank_test.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "model/spec.h"
#include "text/added_tokens.h"

namespace glint {

class RankHead {
 public:
  /// Absent where the file has none. Throws Error for one of another shape or kind.
  static std::optional<RankHead> read(const gguf::File& file, const ModelSpec& spec);

  /// Of the row that the head would see for the last token: the probability of the first of several labels ("yes"), or
  /// the logit of the only one.
  double score(std::span<const float> row) const;

  /// A query and a document in the words that the model was trained on; the file's template has both as {names}.
  struct Prompt {
    std::string text;
    std::vector<ByteRange> literal;  // bytes that are query or document
  };
  Prompt prompt(const std::string& query, const std::string& document) const;

 private:
  std::string template_;
  size_t d_model_ = 0;
  std::vector<float> rows_;    // [labels, d_model]
  std::vector<float> biases_;  // [labels]
};

}  // namespace glint
