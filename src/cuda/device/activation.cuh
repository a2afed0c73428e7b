// SPDX-License-Identifier: Apache-2.0
//
// The gated activations of feed-forwards, for one pair of values. See Backend::glu.
#pragma once

#include <cuda_runtime.h>

#include "backend/params.h"

namespace glint::cuda {

__device__ __forceinline__ float activate(float gate, float up, Activation activation) {
  if (activation == Activation::kSilu) return gate / (1.0f + expf(-gate)) * up;
  if (activation == Activation::kGeluTanh) {
    // (1 + tanh(z)) / 2 = 1 / (1 + exp(-2 z)), which does not cancel.
    const float twice = 1.5957691216057308f * (gate + 0.044715f * gate * gate * gate);
    return gate / (1.0f + expf(-twice)) * up;
  }
  const float g = fminf(gate, 7.0f);
  const float u = fminf(fmaxf(up, -7.0f), 7.0f);
  return g / (1.0f + expf(-1.702f * g)) * (u + 1.0f);
}

}  // namespace glint::cuda
