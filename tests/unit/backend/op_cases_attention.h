// SPDX-License-Identifier: Apache-2.0
//
// Rows of the op table: cache and attention. Keys are written with kv_store by the backend under test, so its rounding
// is tested too. See op_cases.h.
#pragma once

#include "tests/unit/backend/op_case.h"

namespace glint::backend_test {

struct AttentionCase {
  std::string name;
  DType dtype;
  int n_heads, n_kv, d_k, d_v;
  bool latent = false;  // V is a prefix of K
  int window = 0;
  float softcap = 0;
  bool sinks = false;
};

inline std::vector<float> run_attention(Backend& backend, const AttentionCase& c,
                                        const std::vector<SequenceLength>& lengths) {
  const PagedBatch stored(backend, lengths, true);
  const PagedBatch queried(backend, lengths, false);
  KvLayer layer{nullptr, nullptr, c.dtype, c.dtype, c.n_kv, c.d_k, c.d_v};
  const auto k_bytes = static_cast<size_t>(stored.n_cache_rows() * layer.k_row_bytes());
  const auto v_bytes = static_cast<size_t>(stored.n_cache_rows() * row_bytes(c.dtype, c.n_kv * c.d_v));
  // Rows that nobody stored are NaN where the format has it: reading one shows.
  const DeviceArray<uint8_t> k_cache(backend, std::vector<uint8_t>(k_bytes, 0xff));
  const DeviceArray<uint8_t> v_cache(backend, std::vector<uint8_t>(v_bytes, 0xff));
  layer.k = k_cache.data();
  layer.v = c.latent ? nullptr : v_cache.data();

  const GappedRows k(backend, stored.n_tokens(), c.n_kv, c.d_k, 21);
  const GappedRows v(backend, stored.n_tokens(), c.n_kv, c.d_v, 22);
  backend.kv_store(layer, k.tensor(), v.tensor(), stored.batch());

  const GappedRows q(backend, queried.n_tokens(), c.n_heads, c.d_k, 23);
  const DeviceFloats sinks(backend, random_values(static_cast<size_t>(c.n_heads), 24));
  const int width = c.n_heads * c.d_v;
  const DeviceFloats out(backend, std::vector<float>(static_cast<size_t>(queried.n_tokens() * width), -9));
  const AttendParams params{1 / std::sqrt(static_cast<float>(c.d_k)), c.softcap, c.window,
                            c.sinks ? sinks.data() : nullptr};
  backend.attend(Tensor::matrix(out.data(), queried.n_tokens(), width).split_heads(c.n_heads), q.tensor(), layer,
                 queried.batch(), params);
  return out.download();
}

inline void add_attention_cases(std::vector<OpCase>& all, Products products) {
  const std::vector<AttentionCase> shapes = {
      {"f32", DType::kF32, 4, 2, 16, 16},
      {"f16", DType::kF16, 9, 3, 64, 64},
      {"bf16_wider_values", DType::kBF16, 3, 3, 24, 40},
      {"q8_0", DType::kQ8_0, 8, 2, 64, 32},
      {"q8_0_blocks_over_heads", DType::kQ8_0, 4, 4, 40, 24},
      {"odd_widths", DType::kF32, 6, 2, 13, 11},
      {"one_head_wide", DType::kF16, 1, 1, 256, 256},
      {"latent", DType::kF16, 20, 1, 576, 512, true},
      {"latent_q8_0", DType::kQ8_0, 5, 1, 96, 64, true},
      {"window", DType::kF16, 4, 2, 32, 32, false, 50},
      {"window_of_one", DType::kF32, 2, 1, 16, 16, false, 1},
      {"softcap", DType::kF32, 4, 2, 16, 16, false, 0, 0.3f},
      {"sinks_and_window", DType::kF16, 8, 2, 32, 32, false, 70, 0, true},
  };
  const std::vector<std::vector<SequenceLength>> batches = {
      {{1, 1}}, {{65, 1}}, {{64, 64}}, {{130, 33}}, {{128, 1}, {20, 20}, {5, 1}, {140, 3}}};
  for (const AttentionCase& c : shapes) {
    for (size_t b = 0; b < batches.size(); ++b) {
      int longest = 0;
      for (const auto& l : batches[b]) longest = std::max(longest, l.n_tokens);
      // |q|, |k|, |v| <= 1. A score is off by (d_k + 8) roundings of at most sqrt(d_k); a probability by twice that,
      // relatively, and a few roundings more; the sum of `longest` terms by one rounding each.
      const double score = (c.d_k + 8) * kEps * std::sqrt(c.d_k);
      double bound = 2 * score + (longest + 40) * kEps;
      // Queries, 16-bit values and probabilities rounded to f16: d_k errors of up to 2^-11 of terms of mean size 1/3
      // add up at random to 2^-11 / sqrt(3) / 3 of a score whose terms are scaled by 1 / sqrt(d_k); six such
      // deviations, twice for the probability, and its own rounding.
      if (products == Products::kF16) bound += 2 * 6 * 0x1p-11 / std::sqrt(27.0) + 0x1p-10;
      all.push_back({fmt::format("attend_{}_batch{}", c.name, b),
                     [c, lengths = batches[b]](Backend& backend) { return run_attention(backend, c, lengths); },
                     relative_bound(0, bound)});
    }
  }
}

}  // namespace glint::backend_test
