// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/rope_divisors.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace glint::gguf {

std::vector<float> rope_divisors(const LlamaRopeScaling& scaling, int64_t d_head) {
  std::vector<float> divisors;
  for (int64_t i = 0; i < d_head; i += 2) {
    const double frequency = std::pow(scaling.base, -static_cast<double>(i) / static_cast<double>(d_head));
    const double turns = scaling.original_context * frequency / (2 * std::numbers::pi);
    const double kept = std::clamp(
        (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor), 0.0,
        1.0);
    // The scaled and the unscaled frequency are blended, not their divisors.
    divisors.push_back(static_cast<float>(1 / (kept + (1 - kept) / scaling.factor)));
  }
  return divisors;
}

}  // namespace glint::gguf
