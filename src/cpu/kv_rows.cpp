// SPDX-License-Identifier: Apache-2.0
//
// Rounding to the cache's formats and expanding from them. Tested by tests/unit/cpu/attend_test.cpp.
#include "cpu/kv_rows.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "tensor/quantize.h"

namespace glint::cpu {
namespace {

constexpr int kRowsAhead = 8;  // prefetched while a row is expanded

void encode(DType dtype, const float* x, int64_t n, std::byte* out) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kQ8_0:
      return quantize_q8_0(x, n, out);
    case DType::kF16:
    case DType::kBF16:
      for (int64_t i = 0; i < n; ++i) {
        const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
        std::memcpy(out + i * 2, &bits, sizeof bits);
      }
      return;
    default:
      fail("a cache of {} is not supported; use f32, f16, bf16 or q8_0", traits(dtype).name);
  }
}

/// Row r of x, all heads, to the cache row at out. The heads must be joined first, as a block may span two.
void store_row(DType dtype, const Tensor& x, int r, std::byte* out, FloatArray& buffer) {
  const int64_t n = static_cast<int64_t>(x.n_heads) * x.width;
  float* joined = x.row(r);
  if (x.n_heads > 1 && x.head_stride != x.width) {
    joined = buffer.reserve(n);
    for (int h = 0; h < x.n_heads; ++h) std::copy_n(x.head(r, h), x.width, joined + static_cast<int64_t>(h) * x.width);
  }
  encode(dtype, joined, n, out);
}

}  // namespace

void store_kv(const KvLayer& layer, const Tensor& k, const Tensor& v, const Batch& batch, Workers& workers) {
  const bool has_v = layer.v != nullptr;
  GLINT_CHECK(k.n_rows == batch.n_tokens && k.n_heads * k.width == layer.n_kv * layer.d_k);
  GLINT_CHECK(!has_v || (v.n_rows == batch.n_tokens && v.n_heads * v.width == layer.n_kv * layer.d_v));
  const int64_t k_bytes = layer.k_row_bytes();
  const int64_t v_bytes = layer.v_row_bytes();
  const double cost = 2.0 * (k.n_heads * k.width + (has_v ? v.n_heads * v.width : 0));
  workers.share(batch.n_tokens, cost, [&](int64_t begin, int64_t end, int thread) {
    FloatArray& buffer = workers.scratch[static_cast<size_t>(thread)].row;
    for (int t = static_cast<int>(begin); t < end; ++t) {
      const int position = batch.positions[t];
      GLINT_CHECK(position >= 0 && position / kPageTokens < batch.max_pages);
      const int32_t* pages = batch.page_table + static_cast<int64_t>(batch.sequences[t]) * batch.max_pages;
      const int64_t row = static_cast<int64_t>(pages[position / kPageTokens]) * kPageTokens + position % kPageTokens;
      store_row(layer.k_dtype, k, t, static_cast<std::byte*>(layer.k) + row * k_bytes, buffer);
      if (has_v) store_row(layer.v_dtype, v, t, static_cast<std::byte*>(layer.v) + row * v_bytes, buffer);
    }
  });
}

CacheRows::CacheRows(const void* base, DType dtype, int n_kv, int width, CpuLevel level)
    : base_(static_cast<const std::byte*>(base)),
      dtype_(dtype),
      width_(width),
      row_width_(static_cast<int64_t>(n_kv) * width),
      row_bytes_(row_bytes(dtype, row_width_)),
      block_(traits(dtype).block_elements),
      unpack_(dtype == DType::kF32 ? nullptr : unpack_function(dtype, level)) {}

CacheRows::View CacheRows::load(int64_t row, int count, int head, FloatArray& buffer) const {
  const std::byte* source = base_ + row * row_bytes_;
  const int64_t begin = static_cast<int64_t>(head) * width_;
  if (unpack_ == nullptr) return {reinterpret_cast<const float*>(source) + begin, row_width_};
  // Whole blocks that cover the head.
  const int64_t first = begin / block_ * block_;
  const int64_t last = (begin + width_ + block_ - 1) / block_ * block_;
  const int64_t stride = (last - first + 7) / 8 * 8;
  float* out = buffer.reserve(kPageTokens * stride);
  source += row_bytes(dtype_, first);
  const int64_t bytes = row_bytes(dtype_, last - first);
  for (int i = 0; i < count; ++i) {
    // One head of a row is a short run, and the next row's is far away: too little for the processor to foresee.
    const std::byte* ahead = source + std::min(i + kRowsAhead, count - 1) * row_bytes_;
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(ahead + b);
    unpack_(source + i * row_bytes_, last - first, out + i * stride);
  }
  return {out + (begin - first), stride};
}

}  // namespace glint::cpu
