// SPDX-License-Identifier: Apache-2.0
#include "model/arch/parts.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace glint {
namespace {

constexpr int kMaxBlocks = 4096;
constexpr int kMaxExperts = 65536;
constexpr int kMaxHeads = 8192;
constexpr int kMaxHead = 1 << 14;  // with kMaxHeads: n_heads * d_head stays an int

/// How many experts; a number chosen must go with a number to choose from.
void check_expert_counts(const Keys& keys) {
  const int n_experts = keys.integer_or("expert_count", 0, 0, kMaxExperts);
  if (!keys.has("expert_used_count")) return;
  const int top_k = keys.integer("expert_used_count", n_experts > 0 ? 1 : 0, kMaxExperts);
  if (top_k > n_experts) {
    fail("{}: key {} is {}, but key {} is {}; expected no more than there are", keys.file().name(),
         keys.full("expert_used_count"), top_k, keys.full("expert_count"), n_experts);
  }
}

/// The first block with prediction tensors, or -1.
int first_nextn_block(const gguf::File& file) {
  int64_t first = -1;
  for (const HostTensor& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (!name.starts_with("blk.") || name.find(".nextn.") == std::string_view::npos) continue;
    unsigned block = 0;
    const auto [end, error] = std::from_chars(name.data() + 4, name.data() + name.size(), block);
    const bool is_block = error == std::errc() && name.substr(static_cast<size_t>(end - name.data())).starts_with(".nextn.");
    if (is_block && (first < 0 || block < first)) first = block;
  }
  return first > kMaxBlocks ? -1 : static_cast<int>(first);
}

bool has_block(const Keys& keys, int block) {
  const std::string prefix = fmt::format("blk.{}.", block);
  const auto tensors = keys.file().tensors();
  return std::any_of(tensors.begin(), tensors.end(), [&](const HostTensor& tensor) { return tensor.name.starts_with(prefix); });
}

}  // namespace

ModelSpec common_spec(const Keys& keys, Head head) {
  ModelSpec model;
  model.architecture = keys.architecture();
  model.d_model = keys.integer("embedding_length");
  model.n_heads = keys.integer("attention.head_count", 1, kMaxHeads);
  keys.integer_or("attention.head_count_kv", model.n_heads, 1, model.n_heads);
  model.n_ctx_train = keys.integer("context_length", 1, 1 << 30);
  model.eps = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon", 0, 1));
  check_expert_counts(keys);
  const HostTensor* table = keys.file().find("token_embd.weight");
  if (table == nullptr) fail("{}: tensor token_embd.weight is missing", keys.file().name());
  constexpr int64_t kMaxVocab = 1 << 24;
  if (table->dims.size() != 2 || table->dims[0] > kMaxVocab) {
    fail("{}: token_embd.weight has {} dimensions and {} elements; expected [n_vocab, {}] with at most {} rows",
         keys.file().name(), table->dims.size(), table->elements(), model.d_model, kMaxVocab);
  }
  model.n_vocab = static_cast<int>(table->dims[0]);
  model.tied_head = head == Head::kMayBeTied && !keys.has_tensor("output.weight");
  return model;
}

int block_count(const Keys& keys) { return keys.integer("block_count", 1, kMaxBlocks); }

BlockSplit split_blocks(Keys& keys) {
  const int n_blocks = block_count(keys);
  const int promised = keys.integer_or("nextn_predict_layers", 0, 0, n_blocks - 1);
  const int first = first_nextn_block(keys.file());
  if (first >= 0 && first <= n_blocks) {
    if (!has_block(keys, 0)) {
      fail("{}: the file has a prediction block (blk.{}) but no blk.0: it was split off a model and cannot run alone",
           keys.file().name(), first);
    }
    BlockSplit split{.n_trunk = first};
    while (keys.has_tensor(fmt::format("blk.{}.nextn.eh_proj.weight", first + split.n_nextn))) ++split.n_nextn;
    if (split.n_nextn == 0) {
      keys.note(fmt::format("the prediction block (nextn) blk.{} has no nextn.eh_proj; it is not used", first));
    } else if (promised == 0 || promised != n_blocks - first) {
      keys.note(fmt::format("the file has prediction blocks (nextn) from blk.{} on that its metadata does not count", first));
    }
    return split;
  }
  if (promised == 0) return {.n_trunk = n_blocks};
  const std::string promise = fmt::format("{} promises prediction blocks (nextn) that the file does not have; it runs without them",
                                          keys.full("nextn_predict_layers"));
  if (!has_block(keys, n_blocks - 1)) {
    keys.note(promise);
    return {.n_trunk = n_blocks - promised};
  }
  // block_count counts the promised blocks by rule. Here its last block is there, but nothing of it predicts: the rule was
  // broken where the promise was made, or the block was stripped of what makes it predict. The first loses no layer.
  keys.warn(fmt::format("{}, and with blk.{} as an ordinary block", promise, n_blocks - 1),
            fmt::format("if answers are nonsense: --override-kv {}=int:{}", keys.full("block_count"), n_blocks - promised));
  return {.n_trunk = n_blocks};
}

GqaSpec common_gqa(const Keys& keys, const ModelSpec& model, bool interleaved) {
  GqaSpec gqa;
  const std::string& file = keys.file().name();
  gqa.n_kv = keys.integer_or("attention.head_count_kv", model.n_heads, 1, model.n_heads);
  if (model.n_heads % gqa.n_kv != 0) {
    fail("{}: key {} is {}; expected a divisor of the {} query heads", file, keys.full("attention.head_count_kv"),
         gqa.n_kv, model.n_heads);
  }
  if (keys.has("attention.key_length")) {
    gqa.d_head = keys.integer("attention.key_length", 1, kMaxHead);
  } else {
    gqa.d_head = model.d_model / model.n_heads;
    if (model.d_model % model.n_heads != 0 || gqa.d_head > kMaxHead) {
      fail("{}: key {} is {}, which does not divide {} {} into heads", file, keys.full("attention.head_count"),
           model.n_heads, keys.full("embedding_length"), model.d_model);
    }
  }
  const int d_v = keys.integer_or("attention.value_length", gqa.d_head, 1, kMaxHead);
  if (d_v != gqa.d_head) {
    fail("{}: key {} is {} and {} is {}; expected equal lengths", file, keys.full("attention.key_length"), gqa.d_head,
         keys.full("attention.value_length"), d_v);
  }
  gqa.scale = 1 / std::sqrt(static_cast<float>(gqa.d_head));
  gqa.rope = rope_spec(keys, keys.integer_or("rope.dimension_count", gqa.d_head, 2, gqa.d_head), interleaved);
  return gqa;
}

MoeSpec common_moe(const Keys& keys) {
  MoeSpec moe;
  moe.n_experts = keys.integer("expert_count", 1, kMaxExperts);
  moe.route.top_k = keys.integer("expert_used_count", 1, moe.n_experts);
  moe.d_ff = keys.has("expert_feed_forward_length") ? keys.integer("expert_feed_forward_length")
                                                    : keys.integer("feed_forward_length");
  // The shared experts of a layer are stored as one of their joint width.
  moe.d_ff_shared = keys.integer_or("expert_shared_count", 0, 0, Keys::kMaxDim / moe.d_ff) * moe.d_ff;
  moe.fused_gate_up = keys.some_block_has("ffn_gate_up_exps.weight");
  moe.route.renormalise = keys.boolean_or("expert_weights_norm", false);
  moe.route.scale = static_cast<float>(keys.number_or("expert_weights_scale", 1, 0, 1e6));
  // Zero is llama.cpp's word for "no scaling".
  if (moe.route.scale == 0) moe.route.scale = 1;
  moe.route.n_groups = std::max(1, keys.integer_or("expert_group_count", 1, 0, moe.n_experts));
  moe.route.n_groups_used =
      std::max(1, keys.integer_or("expert_group_used_count", moe.route.n_groups, 0, moe.route.n_groups));
  if (moe.n_experts % moe.route.n_groups != 0) {
    fail("{}: key {} is {}; expected a divisor of the {} experts", keys.file().name(), keys.full("expert_group_count"),
         moe.route.n_groups, moe.n_experts);
  }
  const int n_reachable = moe.n_experts / moe.route.n_groups * moe.route.n_groups_used;
  if (moe.route.top_k > n_reachable) {
    fail("{}: key {} is {}; expected at most {}, the experts of {} of {} groups", keys.file().name(),
         keys.full("expert_used_count"), moe.route.top_k, n_reachable, moe.route.n_groups_used, moe.route.n_groups);
  }
  return moe;
}

Gate read_gate(Keys& keys, bool has_correction_bias, Gate absent) {
  enum Code { kUnsaid = 0, kSoftmax = 1, kSigmoid = 2, kSoftmaxAfterTopK = 3 };
  const std::string key = keys.full("expert_gating_func");
  const int code = keys.integer_or("expert_gating_func", kUnsaid, kUnsaid, kSoftmaxAfterTopK);
  if (code == kSoftmax && has_correction_bias && !keys.overridden("expert_gating_func")) {
    keys.warn(fmt::format("{} is {} (softmax), but the router has a correction bias, which goes with sigmoid: an early, "
                          "wrong conversion; sigmoid is used",
                          key, code),
              fmt::format("download a newer file; to use softmax all the same: --override-kv {}=int:{}", key, code));
    return Gate::kSigmoid;
  }
  switch (code) {
    case kSoftmax: return Gate::kSoftmax;
    case kSigmoid: return Gate::kSigmoid;
    case kSoftmaxAfterTopK: return Gate::kSoftmaxAfterTopK;
    default: break;
  }
  keys.note(fmt::format("{} is not in the file; {} is used", key, absent == Gate::kSigmoid ? "sigmoid" : "softmax"));
  return absent;
}

void lint_glm_turns(Keys& keys) {
  const gguf::Metadata& metadata = keys.file().metadata();
  if (metadata.string_or("tokenizer.ggml.pre", "") != "glm4") return;
  constexpr std::pair<const char*, const char*> kRoles[] = {{"tokenizer.ggml.eot_token_id", "<|user|>"},
                                                            {"tokenizer.ggml.eom_token_id", "<|observation|>"}};
  for (const auto& [key, token] : kRoles) {
    if (metadata.contains(key)) continue;
    keys.note(fmt::format("{} is not in the file; {} is found by its text and ends a turn", key, token));
  }
}

}  // namespace glint
