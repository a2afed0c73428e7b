// SPDX-License-Identifier: Apache-2.0
//
// Speed of the CPU backend's matmul and attend on shapes of real models. Not part of `all`: build the target cpu_bench.
// Counters: FLOP/s counts a multiply-add as two; bytes/s is weights or cache read. For example
//   cpu_bench --benchmark_filter='matmul/.*Q4_1' --benchmark_min_time=1
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/half.h"
#include "cpu/cpu_backend.h"

namespace {

using namespace glint;

std::vector<float> random_floats(int64_t n) {
  std::mt19937 random(1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = static_cast<float>(random() % 2001) / 1000 - 1;
  return values;
}

/// Bytes of valid blocks: small scales wherever a format may keep its f16 scale, so that no value is infinite.
std::vector<std::byte> random_blocks(int64_t bytes) {
  std::mt19937 random(2);
  std::vector<std::byte> values(static_cast<size_t>(bytes));
  for (std::byte& v : values) v = static_cast<std::byte>(random() & 0x37);
  return values;
}

struct MatmulCase {
  DType dtype;
  int n_tokens;
  int n_out;
  int n_in;
  int n_threads;
};

void matmul(benchmark::State& state, const MatmulCase& c) {
  const auto backend = make_cpu_backend({.n_threads = c.n_threads});
  const int64_t bytes = row_bytes(c.dtype, static_cast<int64_t>(c.n_out) * c.n_in);
  // Several copies, so that weights come from memory as in a real step unless the shape is made to be repeated.
  const int64_t copies = c.n_tokens == 1 ? std::max<int64_t>(1, (int64_t{64} << 20) / bytes) : 1;
  const std::vector<std::byte> weights = random_blocks(bytes * copies);
  std::vector<Weight> w;
  for (int64_t i = 0; i < copies; ++i) {
    w.push_back(backend->import_weight(
        {"w",
         c.dtype,
         {c.n_out, c.n_in},
         std::span(weights).subspan(static_cast<size_t>(i * bytes), static_cast<size_t>(bytes))}));
  }
  std::vector<float> x = random_floats(static_cast<int64_t>(c.n_tokens) * c.n_in);
  std::vector<float> out(static_cast<size_t>(c.n_tokens) * static_cast<size_t>(c.n_out));
  size_t next = 0;
  for (auto _ : state) {
    backend->matmul(Tensor::matrix(out.data(), c.n_tokens, c.n_out), Tensor::matrix(x.data(), c.n_tokens, c.n_in),
                    w[next++ % w.size()]);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP"] =
      benchmark::Counter(2.0 * c.n_tokens * c.n_out * c.n_in, benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * bytes);
}

struct AttendCase {
  DType dtype;
  int n_tokens;
  int n_context;  // positions before the tokens
  int n_heads;
  int n_kv;
  int d_k;
  int d_v;  // 0: MLA, V is a prefix of 512 values of K
  int n_threads;
};

void attend(benchmark::State& state, const AttendCase& c) {
  const auto backend = make_cpu_backend({.n_threads = c.n_threads});
  const int n_pages = (c.n_context + c.n_tokens + kPageTokens - 1) / kPageTokens;
  KvLayer layer{.k_dtype = c.dtype, .v_dtype = c.dtype, .n_kv = c.n_kv, .d_k = c.d_k, .d_v = c.d_v == 0 ? 512 : c.d_v};
  const int64_t k_bytes = row_bytes(c.dtype, static_cast<int64_t>(c.n_kv) * c.d_k) * n_pages * kPageTokens;
  const int64_t v_bytes = row_bytes(c.dtype, static_cast<int64_t>(c.n_kv) * c.d_v) * n_pages * kPageTokens;
  std::vector<std::byte> k = random_blocks(k_bytes);
  std::vector<std::byte> v = random_blocks(v_bytes);
  layer.k = k.data();
  layer.v = c.d_v == 0 ? nullptr : v.data();
  std::vector<int32_t> positions;
  const std::vector<int32_t> sequences(static_cast<size_t>(c.n_tokens), 0);
  std::vector<int32_t> pages;
  for (int t = 0; t < c.n_tokens; ++t) positions.push_back(c.n_context + t);
  for (int p = 0; p < n_pages; ++p) pages.push_back(p);
  const Batch batch{c.n_tokens, nullptr, positions.data(), sequences.data(), pages.data(), n_pages};
  std::vector<float> q = random_floats(static_cast<int64_t>(c.n_tokens) * c.n_heads * c.d_k);
  std::vector<float> out(static_cast<size_t>(c.n_tokens * c.n_heads * layer.d_v));
  for (auto _ : state) {
    backend->attend(Tensor::matrix(out.data(), c.n_tokens, c.n_heads * layer.d_v).split_heads(c.n_heads),
                    Tensor::matrix(q.data(), c.n_tokens, c.n_heads * c.d_k).split_heads(c.n_heads), layer, batch,
                    {.scale = 0.01f});
    benchmark::ClobberMemory();
  }
  const double seen = c.n_tokens * (c.n_context + (c.n_tokens + 1) / 2.0);
  state.counters["FLOP"] =
      benchmark::Counter(2.0 * seen * c.n_heads * (c.d_k + layer.d_v), benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * (k_bytes + v_bytes));
}

void register_all() {
  const DType dtypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,   DType::kQ4_0, DType::kQ4_1,
                          DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_XS, DType::kMXFP4};
  const int shapes[][2] = {{576, 576}, {1536, 576}, {576, 1536}, {2048, 2048}, {1536, 2048}, {2048, 10240}};
  for (const DType dtype : dtypes) {
    for (const auto& shape : shapes) {
      if (shape[1] % traits(dtype).block_elements != 0) continue;
      for (const int n_tokens : {1, 8, 32, 128, 512}) {
        for (const int n_threads : {1, 2}) {
          const MatmulCase c{dtype, n_tokens, shape[0], shape[1], n_threads};
          benchmark::RegisterBenchmark(fmt::format("matmul/{}/{}x{}/tokens:{}/threads:{}", traits(dtype).name, shape[0],
                                                   shape[1], n_tokens, n_threads)
                                           .c_str(),
                                       matmul, c)
              ->UseRealTime();
        }
      }
    }
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    for (const int n_tokens : {1, 128}) {
      for (const int n_context : {512, 4096}) {
        for (const int n_threads : {1, 2}) {
          const auto name = [&](const char* model) {
            return fmt::format("attend/{}/{}/context:{}/tokens:{}/threads:{}", model, traits(dtype).name, n_context,
                               n_tokens, n_threads);
          };
          benchmark::RegisterBenchmark(name("smollm2").c_str(), attend,
                                       AttendCase{dtype, n_tokens, n_context, 9, 3, 64, 64, n_threads})
              ->UseRealTime();
          benchmark::RegisterBenchmark(name("gqa128").c_str(), attend,
                                       AttendCase{dtype, n_tokens, n_context, 32, 8, 128, 128, n_threads})
              ->UseRealTime();
          benchmark::RegisterBenchmark(name("glm-mla").c_str(), attend,
                                       AttendCase{dtype, n_tokens, n_context, 20, 1, 576, 0, n_threads})
              ->UseRealTime();
        }
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
