// SPDX-License-Identifier: Apache-2.0
//
// From a file's rope.* keys and tensors to the frequencies of rotary embedding (arXiv 2104.09864), with every kind of
// context extension that the architectures need. Called by parts.cpp and arch_*.cpp.
// Tested by tests/unit/model/rope_spec_test.cpp.
#pragma once

#include <vector>

#include "model/arch/keys.h"
#include "model/spec.h"

namespace glint {

/// RoPE over n_dims with the file's base and scaling: none, linear, yarn, or the tensor rope_freqs.weight.
RopeSpec rope_spec(const Keys& keys, int n_dims, bool interleaved);
/// "rope.freq_base", or `absent`.
double rope_base(const Keys& keys, double absent = 10000);
/// 1 / base^(2i / n_dims), in f32.
std::vector<float> inverse_frequencies(double base, int n_dims);

/// YaRN (arXiv 2309.00071): blends interpolated and original frequencies between two wavelengths.
struct YarnParams {
  double factor = 1;
  double original_context = 0;
  double beta_fast = 32;
  double beta_slow = 1;
  bool whole_dims = true;  // the blend's borders are rounded to whole dimensions
};
bool uses_yarn(const Keys& keys);
YarnParams yarn_params(const Keys& keys);
std::vector<float> yarn_inverse_frequencies(double base, int n_dims, const YarnParams& yarn);

}  // namespace glint
