// SPDX-License-Identifier: Apache-2.0
//
// The parts of RMS norm (arXiv 1910.07467) and RoPE (arXiv 2104.09864) that several kernels share, so that a row gets
// the same bits from each of them.
#pragma once

#include "backend/params.h"
#include "cuda/device/reduce.cuh"

namespace glint::cuda {

/// Threads that norm a row: the first of any block that does, which has at least as many.
inline constexpr int kNormThreads = 256;

/// A row of f32 as a block sees it: of its first kNormThreads threads, thread t has columns 4 (t + kNormThreads c) +
/// {0..3}, c = 0, 1, ... The first kHeld such groups are loaded at once and stay in registers. kAligned: the row starts
/// at a multiple of 16 bytes and its width is one of 4; others may have any place and width, at the price of more code.
template <bool kAligned = false>
class BlockRow {
 public:
  __device__ __forceinline__ BlockRow(const float* x, int width) : x_(x), width_(width) {
    if constexpr (!kAligned) aligned_ = width % 4 == 0 && reinterpret_cast<size_t>(x) % 16 == 0;
#pragma unroll
    for (int c = 0; c < kHeld; ++c) held_[c] = group(column(c));
  }
  /// Calls fn(column, four values) for every group of this thread; values past the end are 0.
  template <class Fn>
  __device__ __forceinline__ void for_each(Fn fn) const {
#pragma unroll
    for (int c = 0; c < kHeld; ++c) {
      if (column(c) < width_) fn(column(c), held_[c]);
    }
#pragma unroll 1
    for (int c = kHeld; column(c) < width_; ++c) fn(column(c), group(column(c)));
  }
  /// Calls fn(column, four values, four values of `other`), which is as wide or absent (width 0: zeros).
  template <class Fn>
  __device__ __forceinline__ void for_each_with(const BlockRow& other, Fn fn) const {
#pragma unroll
    for (int c = 0; c < kHeld; ++c) {
      if (column(c) < width_) fn(column(c), held_[c], other.held_[c]);
    }
#pragma unroll 1
    for (int c = kHeld; column(c) < width_; ++c) fn(column(c), group(column(c)), other.group(column(c)));
  }

 private:
  static constexpr int kHeld = kAligned ? 2 : 5;
  __device__ __forceinline__ static int column(int c) {
    return threadIdx.x < kNormThreads ? 4 * (static_cast<int>(threadIdx.x) + kNormThreads * c) : 1 << 30;
  }
  __device__ __forceinline__ float4 group(int at) const {
    if (kAligned || aligned_) {
      return at < width_ ? *reinterpret_cast<const float4*>(x_ + at) : make_float4(0, 0, 0, 0);
    }
    const auto value = [&](int i) { return i < width_ ? x_[i] : 0.0f; };
    return make_float4(value(at), value(at + 1), value(at + 2), value(at + 3));
  }

  const float* x_;
  int width_;
  bool aligned_ = true;
  float4 held_[kHeld];
};

/// 1 / sqrt(mean(x^2) + eps) of several rows for every thread of a block; `scratch`: kNormThreads / 32 floats for each.
/// Contains one barrier; `scratch` may be used again after another.
template <bool kAligned, int kRows>
__device__ __forceinline__ void rms_scales(float (&scales)[kRows], const BlockRow<kAligned> (&rows)[kRows], int width,
                                           float eps, float* scratch) {
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    float sum = 0;
    rows[r].for_each([&](int, float4 v) {
      sum = __fmaf_rn(v.x, v.x, sum);
      sum = __fmaf_rn(v.y, v.y, sum);
      sum = __fmaf_rn(v.z, v.z, sum);
      sum = __fmaf_rn(v.w, v.w, sum);
    });
    scales[r] = sum;
  }
  block_sums<kNormThreads>(scales, scratch);
#pragma unroll
  for (int r = 0; r < kRows; ++r) scales[r] = rsqrtf(scales[r] / static_cast<float>(width) + eps);
}
/// That of one row.
template <bool kAligned>
__device__ __forceinline__ float rms_scale(const BlockRow<kAligned>& row, int width, float eps, float* scratch) {
  const BlockRow<kAligned> rows[1] = {row};
  float scale[1];
  rms_scales(scale, rows, width, eps, scratch);
  return scale[0];
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
