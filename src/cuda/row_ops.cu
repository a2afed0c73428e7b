// SPDX-License-Identifier: Apache-2.0
#include "cuda/row_ops.h"

#include "cuda/device/activation.cuh"
#include "cuda/device/input.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;

/// One block a head of a row.
__global__ void __launch_bounds__(kNormThreads) rms_norm_kernel(Tensor out, Tensor x, float eps, const float* weight) {
  __shared__ float scratch[kNormThreads / 32];
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const float* from = x.data + row * x.row_stride + head * x.head_stride;
  float* to = out.data + row * out.row_stride + head * out.head_stride;
  const BlockRow<> row_values(from, x.width);
  const float scale = rms_scale(row_values, x.width, eps, scratch);
  row_values.for_each([&](int at, float4 v) {
    const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (at + i < x.width) to[at + i] = values[i] * scale * weight[at + i];
    }
  });
}

/// One block a row.
__global__ void __launch_bounds__(kNormThreads)
    add_normed_kernel(Tensor x, Tensor delta, float eps, const float* weight) {
  __shared__ float scratch[kNormThreads / 32];
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int64_t row = blockIdx.x;
  float* to = x.data + row * x.row_stride;
  const BlockRow<> values(delta.data + row * delta.row_stride, x.width);
  const float scale = rms_scale(values, x.width, eps, scratch);
  values.for_each([&](int at, float4 v) {
    const float of_group[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      // As two ops: the product is rounded before it is added.
      if (at + i < x.width) to[at + i] += __fmul_rn(__fmul_rn(of_group[i], scale), weight[at + i]);
    }
  });
}

/// One block a head of a row.
__global__ void __launch_bounds__(kNormThreads)
    to_half_kernel(__half* out, Tensor x, float scale, const float* norm, float eps) {
  __shared__ float scratch[kNormThreads / 32];
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int64_t row = blockIdx.x;
  const int64_t head = blockIdx.y;
  const int n_columns = half_columns(x.width);
  const float* from = x.data + row * x.row_stride + head * x.head_stride;
  __half* to = out + (row * x.n_heads + head) * n_columns;
  const BlockRow<> values(from, x.width);
  make_input(values, x.width, scale, InputNorm<>(norm, x.width, eps), scratch,
             [&](int at, uint2 halves) { *reinterpret_cast<uint2*>(to + at) = halves; });
  // Columns are padded to a multiple of four, so the last group fits.
  for (int i = (x.width + 3) / 4 * 4 + static_cast<int>(threadIdx.x); i < n_columns; i += kNormThreads)
    to[i] = __float2half_rn(0.0f);
}

/// One thread a value, whatever the strides; fn(out value, x value) gives what is written.
template <class Fn>
__device__ __forceinline__ void for_each_pair(Tensor out, Tensor x, Fn fn) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t per_row = static_cast<int64_t>(out.n_heads) * out.width;
  if (i < per_row * out.n_rows) {
    const auto row = i / per_row;
    const auto head = i % per_row / out.width;
    const auto at = i % out.width;
    float& to = out.data[row * out.row_stride + head * out.head_stride + at];
    to = fn(to, x.data[row * x.row_stride + head * x.head_stride + at]);
  }
}

__global__ void __launch_bounds__(kThreads) add_kernel(Tensor out, Tensor x) {
  for_each_pair(out, x, [](float a, float b) { return a + b; });
}
__global__ void __launch_bounds__(kThreads) copy_kernel(Tensor out, Tensor x) {
  for_each_pair(out, x, [](float, float b) { return b; });
}
__global__ void __launch_bounds__(kThreads) scale_softcap_kernel(Tensor x, float scale, float softcap) {
  for_each_pair(x, x, [=](float, float v) {
    const float scaled = v * scale;
    return softcap > 0 ? softcap * tanhf(scaled / softcap) : scaled;
  });
}
__global__ void __launch_bounds__(kThreads) glu_kernel(Tensor gate, Tensor up, Activation activation) {
  for_each_pair(gate, up, [=](float g, float u) { return activate(g, u, activation); });
}

/// The weighted sum of a token's experts, in slot order.
__device__ __forceinline__ float add_experts(float sum, Tensor expert_out, const Routing& routing, int token, int i) {
  for (int s = 0; s < routing.top_k; ++s) {
    const int slot = token * routing.top_k + s;
    sum = __fmaf_rn(routing.weight[slot], expert_out.data[slot * expert_out.row_stride + i], sum);
  }
  return sum;
}

/// One thread a value of a token.
__global__ void __launch_bounds__(kThreads) combine_kernel(Tensor out, Tensor expert_out, Routing routing) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int token = static_cast<int>(blockIdx.y);
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i < out.width) {
    float& to = out.data[token * out.row_stride + i];
    to = add_experts(to, expert_out, routing, token, i);
  }
}

__global__ void __launch_bounds__(kThreads)
    add_combined_kernel(Tensor x, Tensor shared, Tensor expert_out, Routing routing) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int token = static_cast<int>(blockIdx.y);
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i < x.width) {
    const float first = shared.data != nullptr ? shared.data[token * shared.row_stride + i] : 0.0f;
    x.data[token * x.row_stride + i] += add_experts(first, expert_out, routing, token, i);
  }
}

__global__ void __launch_bounds__(kThreads) gather_rows_kernel(Tensor out, Tensor x, const int32_t* rows) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.y);
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i < out.n_heads * out.width) {
    const int head = i / out.width;
    const int at = i % out.width;
    out.data[row * out.row_stride + head * out.head_stride + at] =
        x.data[rows[row] * x.row_stride + head * x.head_stride + at];
  }
}

/// One thread a pair of a head.
__global__ void __launch_bounds__(kThreads) rope_kernel(Tensor x, const int32_t* positions, RopeParams params) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int n_pairs = params.n_dims / 2;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < static_cast<int64_t>(x.n_rows) * x.n_heads * n_pairs) {
    const auto pair = static_cast<int>(i % n_pairs);
    const auto head = i / n_pairs % x.n_heads;
    const auto row = i / n_pairs / x.n_heads;
    rotate_pair(x.data + row * x.row_stride + head * x.head_stride, pair, positions[row], params);
  }
}

LaunchShape one_thread_each(int64_t n) {
  return {dim3(static_cast<unsigned>(blocks_for(n, kThreads))), dim3(kThreads)};
}
int64_t values_of(Tensor x) {
  return static_cast<int64_t>(x.n_rows) * x.n_heads * x.width;
}
LaunchShape rows_by_width(int n_rows, int width) {
  return {dim3(static_cast<unsigned>(blocks_for(width, kThreads)), static_cast<unsigned>(n_rows)), dim3(kThreads)};
}

}  // namespace

void rms_norm(const Stream& stream, Tensor out, Tensor x, float eps, const float* weight) {
  launch(stream, {dim3(static_cast<unsigned>(x.n_rows), static_cast<unsigned>(x.n_heads)), dim3(kNormThreads)},
         rms_norm_kernel, out, x, eps, weight);
}
void to_half(const Stream& stream, __half* out, Tensor x, float scale, const float* norm, float eps) {
  launch(stream, {dim3(static_cast<unsigned>(x.n_rows), static_cast<unsigned>(x.n_heads)), dim3(kNormThreads)},
         to_half_kernel, out, x, scale, norm, eps);
}
void add(const Stream& stream, Tensor out, Tensor x) {
  launch(stream, one_thread_each(values_of(x)), add_kernel, out, x);
}
void add_normed(const Stream& stream, Tensor x, Tensor delta, float eps, const float* weight) {
  launch(stream, {dim3(static_cast<unsigned>(x.n_rows)), dim3(kNormThreads)}, add_normed_kernel, x, delta, eps, weight);
}
void copy(const Stream& stream, Tensor out, Tensor x) {
  launch(stream, one_thread_each(values_of(x)), copy_kernel, out, x);
}
void scale_softcap(const Stream& stream, Tensor x, float scale, float softcap) {
  launch(stream, one_thread_each(values_of(x)), scale_softcap_kernel, x, scale, softcap);
}
void glu(const Stream& stream, Tensor gate, Tensor up, Activation activation) {
  launch(stream, one_thread_each(values_of(gate)), glu_kernel, gate, up, activation);
}
void combine(const Stream& stream, Tensor out, Tensor expert_out, const Routing& routing) {
  launch(stream, rows_by_width(out.n_rows, out.width), combine_kernel, out, expert_out, routing);
}
void add_combined(const Stream& stream, Tensor x, Tensor shared, Tensor expert_out, const Routing& routing) {
  launch(stream, rows_by_width(x.n_rows, x.width), add_combined_kernel, x, shared, expert_out, routing);
}
void gather_rows(const Stream& stream, Tensor out, Tensor x, const int32_t* rows) {
  launch(stream, rows_by_width(out.n_rows, out.n_heads * out.width), gather_rows_kernel, out, x, rows);
}
void rope(const Stream& stream, Tensor x, const int32_t* positions, const RopeParams& params) {
  const int64_t n = static_cast<int64_t>(x.n_rows) * x.n_heads * (params.n_dims / 2);
  launch(stream, one_thread_each(n), rope_kernel, x, positions, params);
}

}  // namespace glint::cuda
