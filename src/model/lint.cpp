// SPDX-License-Identifier: Apache-2.0
#include "model/lint.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/check.h"
#include "model/spec.h"

namespace glint {
namespace {

void add(std::vector<Finding>& findings, FindingLevel level, std::string text, std::string fix = "") {
  findings.push_back({level, std::move(text), std::move(fix)});
}

/// The number of elements of an array, or nothing: what is wrong here is no reason to refuse a model.
std::optional<int64_t> size_of(const gguf::Metadata& metadata, std::string_view key) {
  const gguf::Value* value = metadata.find(key);
  const auto* array = value == nullptr ? nullptr : std::get_if<gguf::Array>(&value->data);
  if (array == nullptr) return {};
  return static_cast<int64_t>(array->size());
}

struct FileTypeLabel {
  uint64_t label;
  DType dtype;
};
/// general.file_type values that promise one number format for most weights.
constexpr FileTypeLabel kLabels[] = {
    {0, DType::kF32},     {1, DType::kF16},     {2, DType::kQ4_0},  {3, DType::kQ4_1},
    {7, DType::kQ8_0},    {8, DType::kQ5_0},    {9, DType::kQ5_1},  {14, DType::kQ4_K},
    {15, DType::kQ4_K},   {16, DType::kQ5_K},   {17, DType::kQ5_K}, {18, DType::kQ6_K},
    {25, DType::kIQ4_NL}, {30, DType::kIQ4_XS}, {32, DType::kBF16}, {38, DType::kMXFP4},
};

void lint_file_type(const gguf::File& file, std::vector<Finding>& findings) {
  const gguf::Value* value = file.metadata().find("general.file_type");
  const auto* label = value == nullptr ? nullptr : std::get_if<uint64_t>(&value->data);
  if (label == nullptr) return;
  std::map<DType, size_t> bytes;  // of matrices: vectors are F32 in files of every type
  for (const HostTensor& tensor : file.tensors()) {
    if (tensor.dims.size() > 1) bytes[tensor.dtype] += tensor.bytes.size();
  }
  if (bytes.empty()) return;
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const FileTypeLabel& known : kLabels) {
    if (known.label != *label || bytes.contains(known.dtype)) continue;
    add(findings, FindingLevel::kNote,
        fmt::format("general.file_type says {}, but no matrix has that format; most bytes are {}. Each tensor's own "
                    "format is used",
                    traits(known.dtype).name, traits(most->first).name));
  }
}

void lint_vocabulary(const gguf::Metadata& metadata, const ModelSpec& spec, std::vector<Finding>& findings) {
  const std::optional<int64_t> n_tokens = size_of(metadata, "tokenizer.ggml.tokens");
  if (!n_tokens) {
    add(findings, FindingLevel::kWarning, "the file has no vocabulary; only token ids can be used",
        "add one with a newer conversion of the model");
    return;
  }
  if (*n_tokens > spec.n_vocab) {
    add(findings, FindingLevel::kWarning,
        fmt::format("the vocabulary has {} tokens, but the model only {} rows; the others cannot be used", *n_tokens,
                    spec.n_vocab),
        "download the file again or convert it with the model's own tokenizer");
  } else if (*n_tokens < spec.n_vocab) {
    add(findings, FindingLevel::kNote,
        fmt::format("the vocabulary has {} tokens and the model {} rows; ids from {} on have no text", *n_tokens,
                    spec.n_vocab, *n_tokens));
  }
  if (!metadata.contains("tokenizer.chat_template")) {
    add(findings, FindingLevel::kNote, "the file has no chat template", "chat needs --chat-template-file");
  }
}

void lint_nextn(const ModelSpec& spec, std::vector<Finding>& findings) {
  if (spec.nextn_layers.empty()) return;
  add(findings, FindingLevel::kNote,
      fmt::format("the file has {} prediction block{} (nextn), which can draft tokens; its tensors take no memory "
                  "while it is not used",
                  spec.nextn_layers.size(), spec.nextn_layers.size() == 1 ? "" : "s"));
}

}  // namespace

std::string_view finding_level_name(FindingLevel level) {
  switch (level) {
    case FindingLevel::kNote:
      return "note";
    case FindingLevel::kWarning:
      return "warning";
    case FindingLevel::kError:
      return "error";
  }
  GLINT_CHECK(!"finding level");
  return "";
}

void lint_file(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings) {
  lint_file_type(file, findings);
  lint_vocabulary(file.metadata(), spec, findings);
  lint_nextn(spec, findings);
}

}  // namespace glint
