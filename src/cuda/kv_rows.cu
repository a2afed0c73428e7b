// SPDX-License-Identifier: Apache-2.0
#include "cuda/kv_rows.h"

#include "cuda/device/cache.cuh"
#include "cuda/device/kv_store.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;

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
