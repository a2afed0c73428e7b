// SPDX-License-Identifier: Apache-2.0
#include "cuda/kv_rows.h"

#include "cuda/device/cache.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;

__device__ __forceinline__ uint16_t to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 64);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/// A warp rounds 32 values of a row: lane i has value i.
__device__ __forceinline__ void store_group(DType dtype, uint8_t* row, int first, int n, float value) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (dtype == DType::kQ8_0) {
    const float largest = warp_max(fabsf(value));
    const float d = largest / 127.0f;
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    uint8_t* block = row + first / 32 * 34;
    if (lane == 0) *reinterpret_cast<__half*>(block) = __float2half_rn(d);
    const float rounded = roundf(value * inverse);
    reinterpret_cast<int8_t*>(block + 2)[lane] =
        static_cast<int8_t>(rounded >= -127.0f ? fminf(rounded, 127.0f) : -127.0f);
    return;
  }
  if (first + lane >= n) return;
  if (dtype == DType::kF32) {
    reinterpret_cast<float*>(row)[first + lane] = value;
  } else if (dtype == DType::kF16) {
    reinterpret_cast<__half*>(row)[first + lane] = __float2half_rn(value);
  } else {
    reinterpret_cast<uint16_t*>(row)[first + lane] = to_bf16(value);
  }
}

__device__ __forceinline__ void store_row(void* cache, DType dtype, int64_t row, Tensor x, int token) {
  const int n = x.n_heads * x.width;
  auto* to = static_cast<uint8_t*>(cache) + row * cache_row_bytes(dtype, n);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int first = static_cast<int>(threadIdx.x) / 32 * 32; first < n; first += kWarps * 32) {
    const int i = first + lane;
    const float value = i < n ? x.data[token * x.row_stride + i / x.width * x.head_stride + i % x.width] : 0.0f;
    store_group(dtype, to, first, n, value);
  }
}

/// One block a token.
__global__ void __launch_bounds__(kWarps * 32)
    kv_store_kernel(KvLayer layer, Tensor k, Tensor v, const int32_t* positions, const int32_t* sequences,
                    const int32_t* page_table, int max_pages) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int token = static_cast<int>(blockIdx.x);
  const int64_t row = cache_row(page_table, max_pages, sequences[token], positions[token]);
  store_row(layer.k, layer.k_dtype, row, k, token);
  if (layer.v != nullptr) store_row(layer.v, layer.v_dtype, row, v, token);
}

}  // namespace

void kv_store(const Stream& stream, const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) {
  launch(stream, {dim3(static_cast<unsigned>(batch.n_tokens)), dim3(kWarps * 32)}, kv_store_kernel, layer, k, v,
         batch.positions, batch.sequences, batch.page_table, batch.max_pages);
}

}  // namespace glint::cuda
