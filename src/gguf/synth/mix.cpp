// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/mix.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "base/check.h"
#include "base/printable.h"

namespace glint::gguf {

namespace {

constexpr MixRule kHeadQ6[] = {{"output", When::kAlways, DType::kQ6_K}};

constexpr MixRule kQ4_K_S[] = {{"output", When::kAlways, DType::kQ6_K},
                               {"ffn_down", When::kFirstEighth, DType::kQ5_K},
                               {"ffn_down_exps", When::kFirstEighth, DType::kQ5_K},
                               {"ffn_down_shexp", When::kFirstEighth, DType::kQ5_K}};

constexpr MixRule kQ4_K_M[] = {
    {"output", When::kAlways, DType::kQ6_K},          {"attn_v", When::kMoreBits, DType::kQ6_K},
    {"attn_qkv", When::kAlways, DType::kQ5_K},        {"ffn_down", When::kMoreBits, DType::kQ6_K},
    {"ffn_down_exps", When::kMoreBits, DType::kQ6_K}, {"ffn_down_shexp", When::kMoreBits, DType::kQ6_K}};

constexpr MixRule kQ5_K_M[] = {
    {"output", When::kAlways, DType::kQ6_K},          {"attn_v", When::kMoreBits, DType::kQ6_K},
    {"attn_qkv", When::kAlways, DType::kQ6_K},        {"ffn_down", When::kMoreBits, DType::kQ6_K},
    {"ffn_down_exps", When::kMoreBits, DType::kQ6_K}, {"ffn_down_shexp", When::kMoreBits, DType::kQ6_K}};

constexpr MixRule kQ4_K_GgmlOrg[] = {{"output", When::kAlways, DType::kQ8_0},
                                     {"attn_k_b", When::kAlways, DType::kQ8_0},
                                     {"ffn_down", When::kMoreBits, DType::kQ6_K},
                                     {"ffn_down_exps", When::kMoreBits, DType::kQ6_K},
                                     {"ffn_down_shexp", When::kMoreBits, DType::kQ6_K}};

constexpr MixRule kQ4_K_M_Unsloth[] = {
    {"output", When::kAlways, DType::kQ6_K},         {"attn_k_b", When::kAlways, DType::kQ8_0},
    {"attn_v_b", When::kAlways, DType::kQ8_0},       {"attn_kv_a_mqa", When::kAlways, DType::kQ8_0},
    {"ffn_gate_shexp", When::kAlways, DType::kQ5_K}, {"ffn_up_shexp", When::kAlways, DType::kQ5_K},
    {"ffn_down_shexp", When::kAlways, DType::kQ6_K}, {"ffn_down", When::kMoreBits, DType::kQ6_K},
    {"ffn_down_exps", When::kMoreBits, DType::kQ6_K}};

constexpr MixRule kIq4[] = {{"output", When::kAlways, DType::kQ6_K},
                            {"ffn_down", When::kFirstEighth, DType::kQ5_K},
                            {"ffn_down_exps", When::kFirstEighth, DType::kQ5_K},
                            {"ffn_down_shexp", When::kFirstEighth, DType::kQ5_K}};

constexpr MixRule kIq4_Xs_Unsloth[] = {
    {"output", When::kAlways, DType::kQ6_K},        {"token_embd", When::kAlways, DType::kQ4_K},
    {"attn_k_b", When::kAlways, DType::kQ8_0},      {"attn_v_b", When::kAlways, DType::kQ8_0},
    {"attn_kv_a_mqa", When::kAlways, DType::kQ8_0}, {"ffn_gate_shexp", When::kAlways, DType::kQ5_K},
    {"ffn_up_shexp", When::kAlways, DType::kQ5_K},  {"ffn_down_shexp", When::kAlways, DType::kQ6_K}};

constexpr MixRule kMxfp4Moe[] = {{"3d", When::kAlways, DType::kMXFP4}};

// What llama-quantize makes without an importance matrix, unless said otherwise.
constexpr auto kMixes = std::to_array<Mix>({
    {"q4_0", "Q4_0, output Q6_K", DType::kQ4_0, 2, kHeadQ6},
    {"q4_1", "Q4_1, output Q6_K", DType::kQ4_1, 3, kHeadQ6},
    {"q5_0", "Q5_0, output Q6_K", DType::kQ5_0, 8, kHeadQ6},
    {"q5_1", "Q5_1, output Q6_K", DType::kQ5_1, 9, kHeadQ6},
    {"q4_k_s", "Q4_K, output Q6_K, ffn_down of the first layers Q5_K", DType::kQ4_K, 14, kQ4_K_S},
    {"q4_k_m", "Q4_K, output Q6_K, ffn_down of half the layers Q6_K", DType::kQ4_K, 15, kQ4_K_M},
    {"q4_k", "ggml-org's GLM-4.7-Flash Q4_K: as q4_k_m, output and attn_k_b Q8_0", DType::kQ4_K, 15, kQ4_K_GgmlOrg},
    {"q4_k_m_unsloth", "unsloth's Q4_K_M: latent attention Q8_0, shared experts Q5_K and Q6_K", DType::kQ4_K, 15,
     kQ4_K_M_Unsloth},
    {"q5_k_s", "Q5_K, output Q6_K", DType::kQ5_K, 16, kHeadQ6},
    {"q5_k_m", "Q5_K, output Q6_K, ffn_down of half the layers Q6_K", DType::kQ5_K, 17, kQ5_K_M},
    {"iq4_nl", "IQ4_NL, output Q6_K, ffn_down of the first layers Q5_K", DType::kIQ4_NL, 25, kIq4},
    {"iq4_xs", "IQ4_XS, output Q6_K, ffn_down of the first layers Q5_K", DType::kIQ4_XS, 30, kIq4},
    {"iq4_xs_unsloth", "unsloth's IQ4_XS: latent attention Q8_0, shared experts Q5_K and Q6_K", DType::kIQ4_XS, 30,
     kIq4_Xs_Unsloth},
    {"mxfp4", "MXFP4_MOE: every tensor of rank 3 MXFP4, other matrices Q8_0", DType::kQ8_0, 38, kMxfp4Moe},
});

// general.file_type of files that are in one format.
uint32_t file_type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ8_0:
      return 7;
    case DType::kQ2_K:
      return 10;
    case DType::kQ3_K:
      return 12;
    case DType::kQ6_K:
      return 18;
    case DType::kIQ2_XXS:
      return 19;
    case DType::kIQ2_XS:
      return 20;
    case DType::kIQ3_XXS:
      return 23;
    case DType::kIQ1_S:
      return 24;
    case DType::kIQ3_S:
      return 26;
    case DType::kIQ2_S:
      return 28;
    case DType::kIQ1_M:
      return 31;
    case DType::kBF16:
      return 32;
    case DType::kTQ1_0:
      return 36;
    case DType::kTQ2_0:
      return 37;
    default:
      return 1024;  // "guessed"
  }
}

bool matters_more(int layer, int n_layers) {
  const int eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

bool fits(const MixRule& rule, std::string_view part, const TensorSketch& tensor, int n_layers) {
  if (rule.part == "3d" ? tensor.dims.size() != 3 : rule.part != part) return false;
  switch (rule.when) {
    case When::kAlways:
      return true;
    case When::kMoreBits:
      return matters_more(tensor.layer, n_layers);
    case When::kFirstEighth:
      return tensor.layer < n_layers / 8;
  }
  return false;
}

// "blk.3.ffn_down.weight" -> "ffn_down"
std::string_view part_of(std::string_view name) {
  if (name.starts_with("blk.")) name.remove_prefix(name.find('.', 4) + 1);
  if (name.ends_with(".weight")) name.remove_suffix(7);
  return name;
}

bool never_quantised(const TensorSketch& tensor) {
  return tensor.dims.size() < 2 || !tensor.name.ends_with(".weight") || tensor.name.ends_with("_norm.weight") ||
         tensor.name.ends_with("ffn_gate_inp.weight");
}

// The next format to try when rows are not whole blocks of `dtype`, as llama-quantize does it.
DType shorter_blocks(DType dtype) {
  switch (dtype) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kTQ1_0:
    case DType::kTQ2_0:
      return DType::kQ4_0;
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    case DType::kIQ1_S:
    case DType::kIQ1_M:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ4_XS:
      return DType::kIQ4_NL;
    default:
      return DType::kF16;
  }
}

DType choose_dtype(const Mix& mix, const TensorSketch& tensor, bool is_head, int n_layers) {
  if (never_quantised(tensor)) return DType::kF32;
  if (tensor.always_mxfp4) return DType::kMXFP4;
  const std::string_view part = is_head ? "output" : part_of(tensor.name);
  DType dtype = mix.base;
  for (const MixRule& rule : mix.rules) {
    if (!fits(rule, part, tensor, n_layers)) continue;
    dtype = rule.dtype;
    break;
  }
  while (tensor.dims.back() % traits(dtype).block_elements != 0) dtype = shorter_blocks(dtype);
  return dtype;
}

}  // namespace

std::span<const Mix> named_mixes() {
  return kMixes;
}

Mix find_mix(std::string_view name) {
  if (const auto* mix = std::ranges::find(kMixes, name, &Mix::name); mix != kMixes.end()) return *mix;
  std::string names;
  for (const Mix& mix : kMixes) names += fmt::format("{} ", mix.name);
  const auto dtype = dtype_from_name(name);
  if (!dtype || !traits(*dtype).is_weight) {
    fail("type \"{}\" is unknown; expected {}or a format such as f16, q8_0, q6_k, iq2_xxs", printable(name), names);
  }
  return {traits(*dtype).name, "every matrix in this format", *dtype, file_type_of(*dtype), {}};
}

std::vector<PlannedTensor> plan_tensors(const Mix& mix, const ModelSketch& model) {
  std::vector<TensorSketch> tensors = model.tensors();
  std::ranges::sort(tensors, {}, [](const TensorSketch& tensor) { return std::tie(tensor.layer, tensor.name); });
  // Without a matrix of its own the head is the embedding, and is treated as a head.
  const bool tied = std::ranges::find(tensors, "output.weight", &TensorSketch::name) == tensors.end();
  std::vector<PlannedTensor> plan;
  for (const TensorSketch& tensor : tensors) {
    const bool is_head = tensor.name == "output.weight" || (tied && tensor.name == "token_embd.weight");
    const DType dtype = choose_dtype(mix, tensor, is_head, model.n_layers());
    int64_t n_bytes = row_bytes(dtype, tensor.dims.back());
    for (size_t i = 0; i + 1 < tensor.dims.size(); ++i) n_bytes *= tensor.dims[i];
    plan.push_back({tensor, dtype, static_cast<uint64_t>(n_bytes)});
  }
  return plan;
}

}  // namespace glint::gguf
