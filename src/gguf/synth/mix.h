// SPDX-License-Identifier: Apache-2.0
//
// Which number format each tensor of a quantised file has. A "Q4_K_M" file is not all Q4_K: each name stands for a rule
// per tensor, and speed and size depend on getting it right. Called by synth.cpp.
// Sizes of published GLM-4.7-Flash files are reproduced to the byte by tests/unit/gguf/synth_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/synth/sketch.h"
#include "tensor/dtype.h"

namespace glint::gguf {

/// Where a rule applies.
enum class When {
  kAlways,
  kMoreBits,  // llama-quantize's choice of layers that matter more: the first and last eighth, and every third between
  kFirstEighth,  // layers below n_layers / 8
};

/// One exception from the mix's base format; the first that fits counts.
struct MixRule {
  std::string_view part;  // "ffn_down_exps": the name without "blk.N." and ".weight"; "3d" fits any tensor of rank 3
  When when = When::kAlways;
  DType dtype = DType::kF32;
};

struct Mix {
  std::string_view name;  // "q4_k_m"
  std::string_view description;
  DType base = DType::kF32;
  uint32_t file_type = 0;  // general.file_type, a label
  std::span<const MixRule> rules;
};

/// All named mixes. Besides them every weight format is a mix of its own, under its name ("iq2_xxs"): every matrix in
/// it.
std::span<const Mix> named_mixes();

/// The mix of this name, or the format's; throws Error with the list of names.
Mix find_mix(std::string_view name);

/// A tensor with its format.
struct PlannedTensor {
  TensorSketch sketch;
  DType dtype = DType::kF32;
  uint64_t n_bytes = 0;
};

/// All tensors of a model in the order of quantised files: those outside layers first, then layer by layer, each part
/// sorted by name. F32 for what is never quantised; a format of shorter blocks where rows are not whole blocks.
std::vector<PlannedTensor> plan_tensors(const Mix& mix, const ModelSketch& model);

}  // namespace glint::gguf
