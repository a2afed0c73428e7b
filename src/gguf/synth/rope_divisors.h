// SPDX-License-Identifier: Apache-2.0
//
// The rotary divisors that Llama 3.1 files carry as the tensor rope_freqs.weight: converters compute it from the
// scaling "llama3" of config.json. Called by models.cpp. Tested by tests/unit/gguf/synth_models_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

namespace glint::gguf {

/// The scaling of rope_type "llama3", with Llama 3.1's values.
struct LlamaRopeScaling {
  double base = 5e5;
  double factor = 8;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double original_context = 8192;  // tokens
};

/// What each of the d_head / 2 frequencies is divided by: 1 where the original context holds at least
/// high_frequency_factor turns, `factor` where it holds at most low_frequency_factor, between them a blend.
std::vector<float> rope_divisors(const LlamaRopeScaling& scaling, int64_t d_head);

}  // namespace glint::gguf
