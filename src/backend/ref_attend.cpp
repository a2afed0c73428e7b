// SPDX-License-Identifier: Apache-2.0
//
// Reference attention over a paged cache: two passes per head, all sums in double, positions ascending. See
// ref_attend.h. Tested by tests/unit/backend/attend_test.cpp.
#include "backend/ref_attend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "tensor/dequantize.h"
#include "tensor/quantize.h"

namespace glint {
namespace {

void encode_row(DType dtype, const std::vector<float>& values, std::byte* destination) {
  if (dtype == DType::kQ8_0) return quantize_q8_0(values.data(), static_cast<int64_t>(values.size()), destination);
  if (dtype == DType::kF32) {
    std::memcpy(destination, values.data(), values.size() * sizeof(float));
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
    std::memcpy(destination + 2 * i, &bits, sizeof bits);
  }
}

/// Rounds row r of x [n, n_kv, width] and writes it to row `destination_row` of the cache at `base`.
void store_row(void* base, DType dtype, int64_t destination_row, Tensor x, int r) {
  std::vector<float> values;
  for (int h = 0; h < x.n_heads; ++h) values.insert(values.end(), x.head(r, h), x.head(r, h) + x.width);
  const int64_t bytes = row_bytes(dtype, static_cast<int64_t>(values.size()));
  encode_row(dtype, values, static_cast<std::byte*>(base) + destination_row * bytes);
}

/// One cached row as floats.
std::vector<float> load_row(const void* base, DType dtype, int64_t row, int elements) {
  std::vector<float> values(elements);
  dequantize(dtype, static_cast<const std::byte*>(base) + row * row_bytes(dtype, elements), elements, values.data());
  return values;
}

double dot(const float* a, const float* b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Turns scores into probabilities; a sink takes part in the sum and gets nothing.
void softmax_with_sink(std::vector<double>& scores, const float* sink) {
  double largest = sink != nullptr ? *sink : scores[0];
  for (double s : scores) largest = std::max(largest, s);
  double sum = sink != nullptr ? std::exp(*sink - largest) : 0.0;
  for (double& s : scores) {
    s = std::exp(s - largest);
    sum += s;
  }
  for (double& s : scores) s /= sum;
}

}  // namespace

bool is_cache_dtype(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kQ8_0;
}

int64_t cache_row(const Batch& batch, int sequence, int position) {
  const int32_t* pages = batch.page_table + static_cast<int64_t>(sequence) * batch.max_pages;
  GLINT_CHECK(position >= 0 && position / kPageTokens < batch.max_pages);
  return static_cast<int64_t>(pages[position / kPageTokens]) * kPageTokens + position % kPageTokens;
}

void store_rows(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) {
  GLINT_CHECK(is_cache_dtype(layer.k_dtype) && k.n_rows == batch.n_tokens);
  GLINT_CHECK(k.n_heads * k.width == layer.n_kv * layer.d_k);
  const bool has_v = layer.v != nullptr;
  GLINT_CHECK(!has_v || (is_cache_dtype(layer.v_dtype) && v.n_rows == batch.n_tokens));
  GLINT_CHECK(!has_v || v.n_heads * v.width == layer.n_kv * layer.d_v);
  for (int t = 0; t < batch.n_tokens; ++t) {
    const int64_t row = cache_row(batch, batch.sequences[t], batch.positions[t]);
    store_row(layer.k, layer.k_dtype, row, k, t);
    if (has_v) store_row(layer.v, layer.v_dtype, row, v, t);
  }
}

void attend_rows(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) {
  GLINT_CHECK(q.n_rows == batch.n_tokens && out.n_rows == batch.n_tokens && out.n_heads == q.n_heads);
  GLINT_CHECK(q.width == layer.d_k && out.width == layer.d_v && q.n_heads % layer.n_kv == 0);
  GLINT_CHECK(layer.v != nullptr || layer.d_v <= layer.d_k);
  const int heads_per_kv = q.n_heads / layer.n_kv;
  for (int t = 0; t < batch.n_tokens; ++t) {
    const int position = batch.positions[t];
    const int first = params.window > 0 ? std::max(0, position - params.window + 1) : 0;
    std::vector<std::vector<float>> keys;
    std::vector<std::vector<float>> values;
    for (int p = first; p <= position; ++p) {
      const int64_t row = cache_row(batch, batch.sequences[t], p);
      keys.push_back(load_row(layer.k, layer.k_dtype, row, layer.n_kv * layer.d_k));
      if (layer.v != nullptr) values.push_back(load_row(layer.v, layer.v_dtype, row, layer.n_kv * layer.d_v));
    }
    const auto& v_rows = layer.v != nullptr ? values : keys;
    const int d_v_stride = layer.v != nullptr ? layer.d_v : layer.d_k;
    for (int h = 0; h < q.n_heads; ++h) {
      const int kv = h / heads_per_kv;
      std::vector<double> probabilities;
      for (const auto& key : keys) {
        double score = params.scale * dot(q.head(t, h), key.data() + kv * layer.d_k, layer.d_k);
        if (params.softcap > 0) score = params.softcap * std::tanh(score / params.softcap);
        probabilities.push_back(score);
      }
      softmax_with_sink(probabilities, params.sinks != nullptr ? params.sinks + h : nullptr);
      for (int i = 0; i < layer.d_v; ++i) {
        double sum = 0;
        for (size_t p = 0; p < v_rows.size(); ++p) sum += probabilities[p] * v_rows[p][kv * d_v_stride + i];
        out.head(t, h)[i] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace glint
