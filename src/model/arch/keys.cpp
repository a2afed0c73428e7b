// SPDX-License-Identifier: Apache-2.0
#include "model/arch/keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/check.h"

namespace glint {

Keys::Keys(const gguf::File& file) : file_(file), architecture_(file.metadata().string("general.architecture")) {}

bool Keys::overridden(std::string_view name) const {
  const std::string key = full(name);
  for (const auto& entry : file_.metadata().entries()) {
    if (entry.key == key) return entry.overridden;
  }
  return false;
}

int Keys::integer(std::string_view name, int low, int high) const {
  const int64_t value = file_.metadata().integer(full(name));
  if (value < low || value > high) {
    fail("{}: {} is {}; expected {} to {}", file_.name(), full(name), value, low, high);
  }
  return static_cast<int>(value);
}

int Keys::integer_or(std::string_view name, int absent, int low, int high) const {
  return has(name) ? integer(name, low, high) : absent;
}

float Keys::number(std::string_view name, double low, double high) const {
  const double value = file_.metadata().number(full(name));
  if (!(value >= low && value <= high)) {
    fail("{}: {} is {}; expected {} to {}", file_.name(), full(name), value, low, high);
  }
  return static_cast<float>(value);
}

float Keys::number_or(std::string_view name, double absent, double low, double high) const {
  return has(name) ? number(name, low, high) : static_cast<float>(absent);
}

bool Keys::boolean_or(std::string_view name, bool absent) const {
  return file_.metadata().boolean_or(full(name), absent);
}

std::string_view Keys::string_or(std::string_view name, std::string_view absent) const {
  return file_.metadata().string_or(full(name), absent);
}

std::vector<float> Keys::floats(std::string_view tensor_name, int n) const {
  const HostTensor* tensor = file_.find(tensor_name);
  if (tensor == nullptr) fail("{}: tensor {} is missing", file_.name(), tensor_name);
  if (tensor->dtype != DType::kF32 || tensor->elements() != n) {
    fail("{}: tensor {} has {} values of {}; expected {} of F32", file_.name(), tensor_name, tensor->elements(),
         traits(tensor->dtype).name, n);
  }
  std::vector<float> values(static_cast<size_t>(n));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

int block_count(const Keys& keys) { return keys.integer("block_count", 1, 4096); }

int nextn_blocks(const Keys& keys, int n_trunk) {
  int n = 0;
  while (keys.has_tensor(fmt::format("blk.{}.nextn.eh_proj.weight", n_trunk + n))) ++n;
  return n;
}

int trunk_blocks(Keys& keys) {
  const int n_blocks = block_count(keys);
  const int promised = keys.integer_or("nextn_predict_layers", 0, 0, n_blocks - 1);
  // The first block with prediction tensors ends the trunk, whatever the metadata says.
  for (int i = 0; i < n_blocks; ++i) {
    if (keys.has_tensor(fmt::format("blk.{}.nextn.eh_proj.weight", i))) {
      if (promised != n_blocks - i) keys.note("the file has prediction blocks (nextn) that its metadata does not count");
      return i;
    }
  }
  if (keys.has_tensor(fmt::format("blk.{}.nextn.eh_proj.weight", n_blocks))) {
    keys.note("the file has prediction blocks (nextn) that its metadata does not count");
    return n_blocks;
  }
  if (promised == 0) return n_blocks;
  keys.note("the metadata promises prediction blocks (nextn) that the file does not have; they are not used");
  // Without their tensors the promised blocks are either missing or ordinary.
  const bool last_is_ordinary = keys.has_tensor(fmt::format("blk.{}.attn_norm.weight", n_blocks - 1));
  return last_is_ordinary ? n_blocks : n_blocks - promised;
}

ModelSpec common_spec(const Keys& keys) {
  ModelSpec model;
  model.architecture = keys.architecture();
  model.d_model = keys.integer("embedding_length", 1, 1 << 20);
  model.n_heads = keys.integer("attention.head_count", 1, 1 << 16);
  model.n_ctx_train = keys.integer("context_length", 1, 1 << 30);
  model.eps = keys.number("attention.layer_norm_rms_epsilon", 0, 1);
  const HostTensor* table = keys.file().find("token_embd.weight");
  if (table == nullptr) fail("{}: tensor token_embd.weight is missing", keys.file().name());
  if (table->dims.size() != 2 || table->dims[0] > Keys::kMaxDim) {
    fail("{}: token_embd.weight has {} dimensions; expected [n_vocab, d_model]", keys.file().name(), table->dims.size());
  }
  model.n_vocab = static_cast<int>(table->dims[0]);
  model.tied_head = !keys.has_tensor("output.weight");
  return model;
}

std::vector<float> inverse_frequencies(double base, int n_dims) {
  std::vector<float> result(static_cast<size_t>(n_dims / 2));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<float>(1.0 / std::pow(base, 2.0 * static_cast<double>(i) / n_dims));
  }
  return result;
}

YarnParams yarn_params(const Keys& keys) {
  return {.factor = keys.number("rope.scaling.factor", 1e-3, 1e6),
          .original_context = static_cast<double>(keys.integer("rope.scaling.original_context_length", 1, 1 << 30)),
          .beta_fast = keys.number_or("rope.scaling.yarn_beta_fast", 32, 0, 1e6),
          .beta_slow = keys.number_or("rope.scaling.yarn_beta_slow", 1, 0, 1e6)};
}

std::vector<float> yarn_inverse_frequencies(double base, int n_dims, const YarnParams& yarn) {
  // The dimension that turns `rotations` times within the original context.
  const auto dimension_of = [&](double rotations) {
    return n_dims * std::log(yarn.original_context / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  double low = dimension_of(yarn.beta_fast);
  double high = dimension_of(yarn.beta_slow);
  if (yarn.whole_dims) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, n_dims - 1.0);
  if (low == high) high += 0.001;
  std::vector<float> result = inverse_frequencies(base, n_dims);
  for (size_t i = 0; i < result.size(); ++i) {
    const double interpolated = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double original = result[i];
    result[i] = static_cast<float>(original / yarn.factor * interpolated + original * (1 - interpolated));
  }
  return result;
}

RopeSpec rope_spec(const Keys& keys, int n_dims, bool interleaved) {
  if (n_dims % 2 != 0) fail("{}: {} is {}; expected an even number", keys.file().name(), keys.full("rope.dimension_count"), n_dims);
  RopeSpec rope;
  rope.n_dims = n_dims;
  rope.interleaved = interleaved;
  const double base = keys.number_or("rope.freq_base", 10000, 1, 1e12);
  const std::string_view scaling = keys.string_or("rope.scaling.type", "none");
  rope.inverse_frequency = inverse_frequencies(base, n_dims);
  if (scaling == "linear") {
    const float factor = keys.number("rope.scaling.factor", 1e-3, 1e6);
    for (float& f : rope.inverse_frequency) f /= factor;
  } else if (scaling == "yarn") {
    const YarnParams yarn = yarn_params(keys);
    rope.inverse_frequency = yarn_inverse_frequencies(base, n_dims, yarn);
    rope.scale = keys.number_or("rope.scaling.attn_factor", 0.1 * std::log(yarn.factor) + 1, 0, 1e3);
  } else if (scaling != "none" && scaling != "longrope") {
    fail("{}: {} is \"{}\"; known are none, linear, yarn, longrope", keys.file().name(), keys.full("rope.scaling.type"), scaling);
  }
  // Llama 3 files carry the divisor of each frequency as a tensor.
  if (keys.has_tensor("rope_freqs.weight")) {
    const std::vector<float> divisors = keys.floats("rope_freqs.weight", n_dims / 2);
    for (size_t i = 0; i < divisors.size(); ++i) rope.inverse_frequency[i] /= divisors[i];
  }
  return rope;
}

GqaSpec common_gqa(const Keys& keys, const ModelSpec& model, bool interleaved) {
  GqaSpec gqa;
  gqa.n_kv = keys.integer_or("attention.head_count_kv", model.n_heads, 1, model.n_heads);
  if (model.n_heads % gqa.n_kv != 0) {
    fail("{}: {} query heads cannot share {} key/value heads evenly", keys.file().name(), model.n_heads, gqa.n_kv);
  }
  gqa.d_head = keys.integer_or("attention.key_length", model.d_model / model.n_heads, 1, 1 << 16);
  const int d_v = keys.integer_or("attention.value_length", gqa.d_head, 1, 1 << 16);
  if (d_v != gqa.d_head) {
    fail("{}: {} is {} and {} is {}; expected equal lengths", keys.file().name(), keys.full("attention.key_length"),
         gqa.d_head, keys.full("attention.value_length"), d_v);
  }
  gqa.scale = 1 / std::sqrt(static_cast<float>(gqa.d_head));
  gqa.rope = rope_spec(keys, keys.integer_or("rope.dimension_count", gqa.d_head, 2, gqa.d_head), interleaved);
  return gqa;
}

MoeSpec common_moe(const Keys& keys) {
  MoeSpec moe;
  moe.n_experts = keys.integer("expert_count", 1, 65536);
  moe.route.top_k = keys.integer("expert_used_count", 1, moe.n_experts);
  moe.d_ff = keys.integer_or("expert_feed_forward_length", 0, 1);
  if (moe.d_ff == 0) moe.d_ff = keys.integer("feed_forward_length");
  moe.d_ff_shared = keys.integer_or("expert_shared_count", 0, 0, 1024) * moe.d_ff;
  moe.route.renormalise = keys.boolean_or("expert_weights_norm", false);
  moe.route.scale = keys.number_or("expert_weights_scale", 1, 0, 1e6);
  // Zero is llama.cpp's word for "no scaling".
  if (moe.route.scale == 0) moe.route.scale = 1;
  return moe;
}

}  // namespace glint
