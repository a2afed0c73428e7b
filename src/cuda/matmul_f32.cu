// SPDX-License-Identifier: Apache-2.0
#include "cuda/matmul_f32.h"

#include "base/check.h"
#include "cuda/device/dot.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;

/// Grid: (rows of weights / kWarps, tokens / kTokens, heads).
template <int kTokens>
__global__ void __launch_bounds__(kWarps * 32)
    matmul_f32_kernel(Tensor out, Tensor x, const float* weights, const float* bias, int n_out, const int32_t* expert,
                      int slots_per_row) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int first = static_cast<int>(blockIdx.y) * kTokens;
  const int head = static_cast<int>(blockIdx.z);
  if (row < n_out) {
    const int64_t matrix = expert != nullptr ? expert[first] : head;
    const float* w = weights + (matrix * n_out + row) * x.width;
    float dots[kTokens];
    warp_dots<kTokens>(dots, w, x.width, [&](int t) {
      const int token = min(first + t, out.n_rows - 1) / slots_per_row;
      return x.data + token * x.row_stride + head * x.head_stride;
    });
    if (threadIdx.x % 32 == 0) {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
        if (first + t >= out.n_rows) continue;
        const float sum = bias != nullptr ? dots[t] + bias[matrix * n_out + row] : dots[t];
        out.data[(first + t) * out.row_stride + head * out.head_stride + row] = sum;
      }
    }
  }
}

template <int kTokens>
void start(const Stream& stream, Tensor out, Tensor x, const Weight& w, const int32_t* expert, int slots_per_row) {
  const LaunchShape shape{
      dim3(static_cast<unsigned>(blocks_for(w.n_out, kWarps)), static_cast<unsigned>(blocks_for(out.n_rows, kTokens)),
           static_cast<unsigned>(x.n_heads)),
      dim3(kWarps * 32)};
  launch(stream, shape, matmul_f32_kernel<kTokens>, out, x, static_cast<const float*>(w.data), w.bias, w.n_out, expert,
         slots_per_row);
}

}  // namespace

void matmul_f32(const Stream& stream, Tensor out, Tensor x, const Weight& w) {
  if (x.n_rows == 1) return start<1>(stream, out, x, w, nullptr, 1);
  start<8>(stream, out, x, w, nullptr, 1);
}

void matmul_f32_experts(const Stream& stream, Tensor out, Tensor x, const Weight& w, const int32_t* expert,
                        int slots_per_row) {
  start<1>(stream, out, x, w, expert, slots_per_row);
}

}  // namespace glint::cuda
