// SPDX-License-Identifier: Apache-2.0
#include "model/lint.h"

#include <algorithm>
#include <map>

#include "model/spec.h"

namespace glint {
namespace {

/// GLM's role tokens end an assistant's turn; early conversions name only <|endoftext|>.
void lint_end_of_turn(const gguf::Metadata& metadata, std::vector<Finding>& findings) {
  if (metadata.string_or("tokenizer.ggml.pre", "") != "glm4" || metadata.contains("tokenizer.ggml.eot_token_id")) return;
  findings.push_back({FindingLevel::kNote,
                      "the file names no end-of-turn token; <|user|> and <|observation|> are taken by their text", ""});
}

struct FileTypeLabel {
  int64_t label;
  DType dtype;
};
/// general.file_type values that promise one number format for most weights.
constexpr FileTypeLabel kLabels[] = {
    {0, DType::kF32},   {1, DType::kF16},   {2, DType::kQ4_0},   {3, DType::kQ4_1},   {7, DType::kQ8_0},  {8, DType::kQ5_0},
    {9, DType::kQ5_1},  {14, DType::kQ4_K}, {15, DType::kQ4_K},  {16, DType::kQ5_K},  {17, DType::kQ5_K}, {18, DType::kQ6_K},
    {25, DType::kIQ4_NL}, {30, DType::kIQ4_XS}, {32, DType::kBF16}, {38, DType::kMXFP4},
};

void lint_file_type(const gguf::File& file, std::vector<Finding>& findings) {
  if (!file.metadata().contains("general.file_type")) return;
  const int64_t label = file.metadata().integer("general.file_type");
  std::map<DType, int64_t> bytes;
  for (const HostTensor& tensor : file.tensors()) bytes[tensor.dtype] += static_cast<int64_t>(tensor.bytes.size());
  if (bytes.empty()) return;
  const auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const FileTypeLabel& known : kLabels) {
    if (known.label != label || bytes.contains(known.dtype)) continue;
    findings.push_back({FindingLevel::kNote,
                        fmt::format("general.file_type says {}, but no tensor has that format; most bytes are {}",
                                    traits(known.dtype).name, traits(most->first).name),
                        ""});
  }
}

void lint_vocabulary(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings) {
  const gguf::Value* tokens = file.metadata().find("tokenizer.ggml.tokens");
  if (tokens == nullptr) {
    findings.push_back({FindingLevel::kWarning, "the file has no vocabulary; only token ids can be used", ""});
    return;
  }
  const auto* array = std::get_if<gguf::Array>(&tokens->data);
  if (array != nullptr && array->size() != static_cast<size_t>(spec.n_vocab)) {
    findings.push_back({FindingLevel::kNote,
                        fmt::format("the vocabulary has {} tokens and the model {} rows", array->size(), spec.n_vocab), ""});
  }
  if (!file.metadata().contains("tokenizer.chat_template")) {
    findings.push_back({FindingLevel::kNote, "the file has no chat template; chat needs --chat-template-file", ""});
  }
}

}  // namespace

void lint_file(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings) {
  lint_end_of_turn(file.metadata(), findings);
  lint_file_type(file, findings);
  lint_vocabulary(file, spec, findings);
}

}  // namespace glint
