// SPDX-License-Identifier: Apache-2.0
#include "cuda/attend.h"

#include "cuda/device/cache.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/flash_attend.h"
#include "cuda/launch.h"
#include "cuda/mla_decode.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

struct PlainArgs {
  Tensor out, q;
  KvLayer layer;
  AttendParams params;
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
};

/// Any cache, any head: a block takes one head of one token, kWarps positions at a time, with a running softmax.
__global__ void __launch_bounds__(kThreads) attend_plain_kernel(PlainArgs args) {
  __shared__ float scores[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int token = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const KvLayer& layer = args.layer;
  auto* query = dynamic_shared<float>();  // [d_k]
  float* sum = query + layer.d_k;         // [d_v]
  wait_for_previous_kernel();
  let_next_kernel_start();
  const float* q = args.q.data + token * args.q.row_stride + head * args.q.head_stride;
  for (int i = static_cast<int>(threadIdx.x); i < layer.d_k; i += kThreads) query[i] = q[i];
  for (int i = static_cast<int>(threadIdx.x); i < layer.d_v; i += kThreads) sum[i] = 0;
  const int position = args.positions[token];
  const int first = args.params.window > 0 ? max(0, position - args.params.window + 1) : 0;
  const int kv = head / (args.q.n_heads / layer.n_kv);
  const int64_t k_bytes = cache_row_bytes(layer.k_dtype, static_cast<int64_t>(layer.n_kv) * layer.d_k);
  const int64_t v_bytes =
      layer.v != nullptr ? cache_row_bytes(layer.v_dtype, static_cast<int64_t>(layer.n_kv) * layer.d_v) : k_bytes;
  const DType v_dtype = layer.v != nullptr ? layer.v_dtype : layer.k_dtype;
  const auto* v_base = static_cast<const uint8_t*>(layer.v != nullptr ? layer.v : layer.k);
  const int v_first = kv * (layer.v != nullptr ? layer.d_v : layer.d_k);
  float largest = args.params.sinks != nullptr ? args.params.sinks[head] : -INFINITY;
  float total = args.params.sinks != nullptr ? 1.0f : 0.0f;
  __syncthreads();
  for (int base = first; base <= position; base += kWarps) {
    const int mine = base + warp;
    float score = -INFINITY;
    if (mine <= position) {
      const int64_t row = cache_row(args.page_table, args.max_pages, args.sequences[token], mine);
      const auto* key = static_cast<const uint8_t*>(layer.k) + row * k_bytes;
      score = 0;
      for (int i = lane; i < layer.d_k; i += 32) {
        score = __fmaf_rn(query[i], cache_value(layer.k_dtype, key, kv * layer.d_k + i), score);
      }
    }
    score = warp_sum(score) * args.params.scale;
    if (args.params.softcap > 0) score = args.params.softcap * tanhf(score / args.params.softcap);
    if (lane == 0) scores[warp] = mine <= position ? score : -INFINITY;
    __syncthreads();
    float now = largest;
    for (int w = 0; w < kWarps; ++w) now = fmaxf(now, scores[w]);
    const float shrink = expf(largest - now);
    largest = now;
    total *= shrink;
    float p[kWarps];
    int64_t rows[kWarps];
    for (int w = 0; w < kWarps; ++w) {
      p[w] = expf(scores[w] - now);
      total += p[w];
      rows[w] = cache_row(args.page_table, args.max_pages, args.sequences[token], min(base + w, position));
    }
    for (int i = static_cast<int>(threadIdx.x); i < layer.d_v; i += kThreads) {
      float value = sum[i] * shrink;
      for (int w = 0; w < kWarps; ++w)
        value = __fmaf_rn(p[w], cache_value(v_dtype, v_base + rows[w] * v_bytes, v_first + i), value);
      sum[i] = value;
    }
    __syncthreads();
  }
  float* out = args.out.data + token * args.out.row_stride + head * args.out.head_stride;
  for (int i = static_cast<int>(threadIdx.x); i < layer.d_v; i += kThreads) out[i] = sum[i] / total;
}

}  // namespace

void attend(const Stream& stream, Tensor out, Tensor q, const KvLayer& layer, const Batch& batch,
            const AttendParams& params, Workspace& workspace) {
  if (mla_decode_supports(layer, q, out) && params.softcap == 0 && params.window == 0 && params.sinks == nullptr) {
    return mla_decode(stream, workspace, out, q, layer, batch, params.scale);
  }
  if (flash_attend_supports(stream, q, layer, params)) {
    return flash_attend(stream, workspace, out, q, layer, batch, params);
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(q.n_rows), static_cast<unsigned>(q.n_heads)), dim3(kThreads),
                          static_cast<size_t>(layer.d_k + layer.d_v) * sizeof(float)};
  launch(stream, shape, attend_plain_kernel,
         {out, q, layer, params, batch.positions, batch.sequences, batch.page_table, batch.max_pages});
}

}  // namespace glint::cuda
