// SPDX-License-Identifier: Apache-2.0
//
// The parts of RMS norm (arXiv 1910.07467) and RoPE (arXiv 2104.09864) that several kernels share, so that a row gets
// the same bits from each of them.
#pragma once

#include "backend/params.h"
#include "cuda/device/reduce.cuh"

namespace glint::cuda {

/// Threads of any block that norms a row.
inline constexpr int kNormThreads = 256;

/// 1 / sqrt(mean(x^2) + eps) for every thread of a block of kNormThreads; `scratch`: kNormThreads / 32 floats. Contains
/// one barrier; `scratch` may be used again after another.
__device__ __forceinline__ float rms_scale(const float* x, int width, float eps, float* scratch) {
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kNormThreads) sum = __fmaf_rn(x[i], x[i], sum);
  sum = block_sum<kNormThreads>(sum, scratch);
  return rsqrtf(sum / static_cast<float>(width) + eps);
}

/// Rotates pair `pair` of one head in place. The angle is taken in f32, as the published implementations do; sin and
/// cos of it are accurate for any size.
__device__ __forceinline__ void rotate_pair(float* head, int pair, int position, const RopeParams& params) {
  const int first = params.interleaved ? 2 * pair : pair;
  const int second = params.interleaved ? 2 * pair + 1 : pair + params.n_dims / 2;
  const float angle = static_cast<float>(position) * params.inverse_frequency[pair];
  const float c = cosf(angle) * params.scale;
  const float s = sinf(angle) * params.scale;
  const float a = head[first];
  const float b = head[second];
  head[first] = __fmul_rn(a, c) - __fmul_rn(b, s);
  head[second] = __fmul_rn(a, s) + __fmul_rn(b, c);
}

}  // namespace glint::cuda
