// SPDX-License-Identifier: Apache-2.0
//
// The gated activations of feed-forwards, for one pair of values. See Backend::glu.
#pragma once

#include "backend/params.h"

namespace glint::cuda {

__device__ __forceinline__ float activate(float gate, float up, Activation activation) {
  if (activation == Activation::kSilu) return gate / (1.0f + expf(-gate)) * up;
  if (activation == Activation::kGeluTanh) {
    const float inner = 0.7978845608028654f * (gate + 0.044715f * gate * gate * gate);
    return 0.5f * gate * (1.0f + tanhf(inner)) * up;
  }
  const float g = fminf(gate, 7.0f);
  const float u = fminf(fmaxf(up, -7.0f), 7.0f);
  return g / (1.0f + expf(-1.702f * g)) * (u + 1.0f);
}

}  // namespace glint::cuda
