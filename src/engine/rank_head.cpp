// SPDX-License-Identifier: Apache-2.0
#include "engine/rank_head.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

constexpr const char* kRows = "cls.output.weight";
constexpr const char* kBiases = "cls.output.bias";
constexpr const char* kTemplate = "tokenizer.chat_template.rerank";
constexpr int64_t kMostLabels = 1024;

std::vector<float> floats_of(const HostTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  dequantize(tensor.dtype, tensor.bytes.data(), tensor.elements(), values.data());
  return values;
}

}  // namespace

std::optional<RankHead> RankHead::read(const gguf::File& file, const ModelSpec& spec) {
  const HostTensor* rows = file.find(kRows);
  if (rows == nullptr) return std::nullopt;
  const bool fits =
      rows->dims.size() == 2 && rows->dims[0] >= 1 && rows->dims[0] <= kMostLabels && rows->dims[1] == spec.d_model;
  if (!fits || !traits(rows->dtype).is_weight)
    fail("{}: {}: expected rows of {} numbers", file.name(), kRows, spec.d_model);
  if (file.find("cls.weight") != nullptr)
    fail("{}: cls.weight: a layer before the classifier is not supported", file.name());
  RankHead head;
  head.d_model_ = static_cast<size_t>(spec.d_model);
  head.rows_ = floats_of(*rows);
  head.biases_.resize(static_cast<size_t>(rows->dims[0]));
  if (const HostTensor* biases = file.find(kBiases)) {
    if (biases->dims != std::vector<int64_t>{rows->dims[0]} || biases->dtype != DType::kF32)
      fail("{}: {}: expected {} numbers in F32", file.name(), kBiases, rows->dims[0]);
    head.biases_ = floats_of(*biases);
  }
  if (!file.metadata().contains(kTemplate))
    fail("{}: {} is missing: how a query is asked is not known", file.name(), kTemplate);
  head.template_ = file.metadata().string(kTemplate);
  return head;
}

double RankHead::score(std::span<const float> row) const {
  GLINT_CHECK(row.size() == d_model_);
  std::vector<double> logits(biases_.begin(), biases_.end());
  for (size_t i = 0; i < rows_.size(); ++i)
    logits[i / d_model_] += static_cast<double>(rows_[i]) * static_cast<double>(row[i % d_model_]);
  if (logits.size() == 1) return logits[0];
  const double most = std::ranges::max(logits);
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - most);
  return std::exp(logits[0] - most) / sum;
}

RankHead::Prompt RankHead::prompt(const std::string& query, const std::string& document) const {
  const std::array<std::pair<std::string_view, const std::string*>, 2> names = {
      {{"{query}", &query}, {"{document}", &document}}};
  Prompt prompt;
  for (size_t at = 0; at < template_.size();) {
    const auto named = std::ranges::find_if(
        names, [&](const auto& name) { return template_.compare(at, name.first.size(), name.first) == 0; });
    if (named == names.end()) {
      prompt.text += template_[at++];
      continue;
    }
    prompt.literal.push_back({prompt.text.size(), prompt.text.size() + named->second->size()});
    prompt.text += *named->second;
    at += named->first.size();
  }
  return prompt;
}

}  // namespace glint
