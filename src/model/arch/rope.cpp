// SPDX-License-Identifier: Apache-2.0
#include "model/arch/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/printable.h"

namespace glint {
namespace {

constexpr double kMaxFactor = 1e6;

/// The factor of linear scaling and YaRN; llama.cpp's oldest files have it under another name, and 0 says "none".
double scaling_factor(const Keys& keys) {
  const double old_style = keys.number_or("rope.scale_linear", 1, 0, kMaxFactor);
  const double factor = keys.number_or("rope.scaling.factor", old_style, 0, kMaxFactor);
  return factor == 0 ? 1 : factor;
}

}  // namespace

double rope_base(const Keys& keys, double absent) {
  // 1 would make every frequency the same, and divides by zero in YaRN.
  return keys.number_or("rope.freq_base", absent, 2, 1e12);
}

std::vector<float> inverse_frequencies(double base, int n_dims) {
  std::vector<float> result(static_cast<size_t>(n_dims / 2));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<float>(1.0 / std::pow(base, 2.0 * static_cast<double>(i) / n_dims));
  }
  return result;
}

bool uses_yarn(const Keys& keys) { return keys.string_or("rope.scaling.type", "") == "yarn"; }

YarnParams yarn_params(const Keys& keys) {
  constexpr int kMaxContext = 1 << 30;
  const int trained = keys.integer("context_length", 1, kMaxContext);
  return {.factor = scaling_factor(keys),
          .original_context = 1.0 * keys.integer_or("rope.scaling.original_context_length", trained, 1, kMaxContext),
          .beta_fast = keys.number_or("rope.scaling.yarn_beta_fast", 32, 1e-3, 1e6),
          .beta_slow = keys.number_or("rope.scaling.yarn_beta_slow", 1, 1e-3, 1e6)};
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
  if (n_dims % 2 != 0) {
    fail("{}: key {} is {}; expected an even number", keys.file().name(), keys.full("rope.dimension_count"), n_dims);
  }
  RopeSpec rope;
  rope.n_dims = n_dims;
  rope.interleaved = interleaved;
  const double base = rope_base(keys);
  rope.inverse_frequency = inverse_frequencies(base, n_dims);
  // A factor without a type means linear: the type is younger than the factor.
  const std::string_view scaling = keys.string_or("rope.scaling.type", "linear");
  if (scaling == "linear") {
    const auto factor = static_cast<float>(scaling_factor(keys));
    for (float& frequency : rope.inverse_frequency) frequency /= factor;
  } else if (scaling == "yarn") {
    const YarnParams yarn = yarn_params(keys);
    rope.inverse_frequency = yarn_inverse_frequencies(base, n_dims, yarn);
    // The key multiplies YaRN's own attention factor.
    const double own = yarn.factor > 1 ? 0.1 * std::log(yarn.factor) + 1 : 1;
    rope.scale = static_cast<float>(own * keys.number_or("rope.scaling.attn_factor", 1, 0, 1e3));
  } else if (scaling != "none" && scaling != "longrope") {
    fail("{}: key {} is \"{}\"; known are none, linear, yarn and longrope", keys.file().name(),
         keys.full("rope.scaling.type"), printable(scaling));
  }
  // Llama 3 files carry the divisor of each frequency as a tensor.
  if (keys.has_tensor("rope_freqs.weight")) {
    const std::vector<float> divisors = keys.divisors("rope_freqs.weight", n_dims / 2);
    for (size_t i = 0; i < divisors.size(); ++i) rope.inverse_frequency[i] /= divisors[i];
  }
  return rope;
}

}  // namespace glint
