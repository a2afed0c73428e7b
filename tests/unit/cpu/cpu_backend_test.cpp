// SPDX-License-Identifier: Apache-2.0
//
// The row-wise ops of the CPU backend against ref, with heads and strides, and equal bits in every variant.
#include "cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/unit/cpu/cpu_test_support.h"

namespace glint::cpu_test {
namespace {

/// Rows of a test tensor: 3 heads in rows that are longer than they need be.
struct Rows {
  explicit Rows(int rows, int width_, uint32_t seed, float deviation = 1)
      : n_rows(rows),
        width(width_),
        values(random_floats(static_cast<size_t>(rows * 3 * (width_ + 2) + rows * 5), seed, deviation)) {}
  Tensor tensor() { return {values.data(), n_rows, 3, width, 3 * (width + 2) + 5, width + 2}; }

  int n_rows;
  int width;
  std::vector<float> values;
};

/// Runs `op` on ref and on every variant, on copies of `rows`. Whatever lies between the heads must stay as it was, so
/// whole buffers are compared. relative, absolute: the bound of |cpu - ref|.
void compare(const Rows& rows, double relative, double absolute, const std::function<void(Backend&, Tensor)>& op) {
  Rows expected = rows;
  op(*make_ref_backend(), expected.tensor());
  std::vector<double> bounds;
  for (const float v : expected.values) bounds.push_back(relative * std::abs(v) + absolute);
  std::vector<float> first;
  for (const Variant& variant : cpu_variants()) {
    Rows got = rows;
    op(*variant.backend, got.tensor());
    EXPECT_TRUE(within(got.values, expected.values, bounds))
        << variant.name << ", " << rows.n_rows << " x " << rows.width;
    if (first.empty()) first = got.values;
    EXPECT_TRUE(same_bits(got.values, first)) << variant.name << ", " << rows.n_rows << " x " << rows.width;
  }
}

/// Small ones run on the caller, the large one is shared between threads.
const std::pair<int, int> kShapes[] = {{1, 1}, {1, 8}, {2, 13}, {3, 64}, {5, 100}, {400, 130}};

TEST(CpuBackend, RmsNorm) {
  for (const auto& [n_rows, width] : kShapes) {
    Rows x(n_rows, width, 1);
    RandomWeight weight(DType::kF32, {width}, 2, 1);
    // Sum of width / 32 squares a lane and few levels more, halved by the root; then three roundings.
    const double relative = (width / 32 + 12) * kEps;
    compare(Rows(n_rows, width, 3), relative, 0,
            [&](Backend& b, Tensor out) { b.rms_norm(out, x.tensor(), 1e-5f, b.import_weight(weight.tensor())); });
    compare(x, relative, 0, [&](Backend& b, Tensor out) {  // in place
      b.rms_norm(out, out, 1e-5f, b.import_weight(weight.tensor()));
    });
  }
}

TEST(CpuBackend, NormWeightsMayBeOfAnyFormat) {
  Rows x(2, 64, 1);
  RandomWeight weight(DType::kF16, {64}, 2, 1);
  compare(x, 20 * kEps, 0,
          [&](Backend& b, Tensor out) { b.rms_norm(out, out, 1e-5f, b.import_weight(weight.tensor())); });
}

TEST(CpuBackend, AddAndCopy) {
  for (const auto& [n_rows, width] : kShapes) {
    Rows x(n_rows, width, 1);
    compare(Rows(n_rows, width, 2), 0, 0, [&](Backend& b, Tensor out) { b.add(out, x.tensor()); });
    compare(Rows(n_rows, width, 2), 0, 0, [&](Backend& b, Tensor out) { b.copy(out, x.tensor()); });
  }
}

TEST(CpuBackend, ScaleAndSoftcap) {
  for (const auto& [n_rows, width] : kShapes) {
    Rows x(n_rows, width, 1, 20);
    compare(x, kEps, 0, [&](Backend& b, Tensor t) { b.scale_softcap(t, 0.3f, 0); });
    // tanh within 2 units in the last place (4 kEps), three roundings around it.
    compare(x, 10 * kEps, 0, [&](Backend& b, Tensor t) { b.scale_softcap(t, 0.3f, 5); });
  }
}

TEST(CpuBackend, Glu) {
  for (const auto activation : {Activation::kSilu, Activation::kGeluTanh, Activation::kGptOssSwiglu}) {
    for (const auto& [n_rows, width] : kShapes) {
      Rows up(n_rows, width, 2, 5);
      // The argument of exp is off by a few roundings, so its result by that many kEps times |argument| < 20. 1e-14:
      // ref's own 1 + tanh loses that much where tanh is near -1.
      compare(Rows(n_rows, width, 1, 4), 120 * kEps, 1e-14,
              [&](Backend& b, Tensor gate) { b.glu(gate, up.tensor(), activation); });
    }
  }
}

TEST(CpuBackend, Rope) {
  for (const bool interleaved : {false, true}) {
    for (const int n_dims : {2, 6, 16, 40, 64}) {
      for (const int n_rows : {1, 3, 200}) {
        std::vector<float> frequencies;
        for (int i = 0; i < n_dims / 2; ++i)
          frequencies.push_back(std::pow(10000.0f, -2.0f * static_cast<float>(i) / static_cast<float>(n_dims)));
        std::vector<int32_t> positions;
        for (int r = 0; r < n_rows; ++r) positions.push_back(r * 37 + 5);
        const RopeParams params{n_dims, interleaved, 1.25f, frequencies.data()};
        // Two products and a sum of values below 5 * 1.25.
        compare(Rows(n_rows, n_dims + 6, 1), 2 * kEps, 20 * kEps,
                [&](Backend& b, Tensor x) { b.rope(x, positions.data(), params); });
      }
    }
  }
}

TEST(CpuBackend, RopeTablesFollowTheirArguments) {
  const auto backend = make_cpu_backend({.n_threads = 2});
  const auto ref = make_ref_backend();
  std::vector<float> slow = {1.0f, 0.5f, 0.25f, 0.125f};
  std::vector<float> fast = {0.1f, 0.05f, 0.025f, 0.0125f};
  std::vector<int32_t> positions = {3, 4};
  const auto check = [&](const RopeParams& params) {
    Rows got(2, 8, 1);
    Rows expected(2, 8, 1);
    backend->rope(got.tensor(), positions.data(), params);
    ref->rope(expected.tensor(), positions.data(), params);
    EXPECT_TRUE(within(got.values, expected.values, std::vector<double>(got.values.size(), 20 * kEps)));
  };
  for (int round = 0; round < 2; ++round) {
    check({8, false, 1, slow.data()});
    check({8, false, 1, fast.data()});
    check({8, true, 1, slow.data()});
    check({8, true, 2, slow.data()});
    check({6, true, 2, slow.data()});
    positions = {7, 9};
    check({6, true, 2, slow.data()});
    slow[1] = 0.75f;  // the same memory with other contents
    check({6, true, 2, slow.data()});
  }
}

TEST(CpuBackend, EmbedAndGather) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    RandomWeight table(dtype, {50, 64}, 1);
    const std::vector<int32_t> ids = {49, 0, 7, 7};
    std::vector<float> first;
    for (const float scale : {1.0f, 1.7f}) {
      const auto run = [&](Backend& b) {
        std::vector<float> out(4 * 64);
        b.embed(Tensor::matrix(out.data(), 4, 64), ids.data(), scale, b.import_weight(table.tensor()));
        return out;
      };
      const auto expected = run(*make_ref_backend());
      for (const Variant& variant : cpu_variants())
        EXPECT_TRUE(same_bits(run(*variant.backend), expected)) << variant.name;
    }
  }
  Rows x(20, 33, 1);
  const std::vector<int32_t> rows = {19, 0, 3, 3, 7};
  compare(Rows(5, 33, 2), 0, 0, [&](Backend& b, Tensor out) { b.gather_rows(out, x.tensor(), rows.data()); });
}

TEST(CpuBackend, RouteAndCombine) {
  constexpr int kExperts = 16;
  auto bias = random_floats(kExperts, 5, 0.1f);
  for (const auto gate : {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxAfterTopK}) {
    for (const int n_tokens : {1, 3, 300}) {
      const RouteParams params{gate,
                               4,
                               gate == Gate::kSigmoid ? 4 : 1,
                               gate == Gate::kSigmoid ? 2 : 1,
                               true,
                               1.8f,
                               gate == Gate::kSigmoid ? bias.data() : nullptr};
      auto logits = random_floats(static_cast<size_t>(n_tokens * kExperts), 1);
      auto expert_out = random_floats(static_cast<size_t>(n_tokens * 4 * 40), 2);
      const auto run = [&](Backend& b) {
        std::vector<int32_t> experts(static_cast<size_t>(n_tokens * 4));
        std::vector<float> weights(experts.size());
        const Routing routing{experts.data(), weights.data(), n_tokens, 4};
        b.route(routing, Tensor::matrix(logits.data(), n_tokens, kExperts), params);
        std::vector<float> out(static_cast<size_t>(n_tokens * 40), 1);
        b.combine(Tensor::matrix(out.data(), n_tokens, 40), Tensor::matrix(expert_out.data(), n_tokens * 4, 40),
                  routing);
        for (const int32_t e : experts) out.push_back(static_cast<float>(e));
        return out;
      };
      const auto expected = run(*make_ref_backend());
      for (const Variant& variant : cpu_variants()) {
        // Five terms of at most 1.8 * 5.
        EXPECT_TRUE(within(run(*variant.backend), expected, std::vector<double>(expected.size(), 5 * 30 * kEps)))
            << variant.name;
      }
    }
  }
}

TEST(CpuBackend, Top) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> rows = {{1, 5, 5, 2, 0, 0, 0, 0, 0, 5},
                                                {nan, -3, nan, -2, -2, nan, -9, -9, -9, nan},
                                                {nan, nan, nan, nan, nan, nan, nan, nan, nan, nan},
                                                {-infinity, -infinity, nan, -infinity, nan, nan, nan, nan, nan, nan},
                                                {nan, -infinity, nan, -infinity, nan, nan, nan, nan, nan, nan},
                                                {0, -0.0f, 0, 0, 0, 0, 0, 0, 0, 0},
                                                {-1, infinity, infinity, 0, 0, 0, 0, 0, 0, nan}};
  std::vector<float> x;
  for (const auto& row : rows) x.insert(x.end(), row.begin(), row.end());
  const int n = static_cast<int>(rows.size());
  const auto places = [&](Backend& backend, int k) {
    std::vector<TopEntry> top(rows.size() * static_cast<size_t>(k));
    backend.top(top.data(), Tensor::matrix(x.data(), n, 10), k);
    std::vector<int32_t> found;
    for (const TopEntry& entry : top) found.push_back(entry.index);
    return found;
  };
  const auto ref = make_ref_backend();
  for (const Variant& variant : cpu_variants()) {
    EXPECT_EQ(places(*variant.backend, 1), places(*ref, 1)) << variant.name;
    EXPECT_EQ(places(*variant.backend, 4), places(*ref, 4)) << variant.name;
  }
  auto wide = random_floats(200000, 1);
  wide[123456] = 50;
  TopEntry first;
  make_cpu_backend({.n_threads = 2})->top(&first, Tensor::matrix(wide.data(), 1, 200000), 1);
  EXPECT_EQ(first.index, 123456);
  EXPECT_EQ(first.value, 50);
}

TEST(CpuBackend, MemoryIsAlignedAndCopied) {
  const auto backend = make_cpu_backend({.n_threads = 1});
  const auto buffer = backend->allocate(1000);
  EXPECT_EQ(buffer->bytes(), 1000u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
  const std::vector<float> sent = random_floats(250, 1);
  std::vector<float> received(250);
  backend->upload(buffer->data(), sent.data(), 1000);
  backend->download(received.data(), buffer->data(), 1000);
  EXPECT_EQ(received, sent);
}

TEST(CpuBackend, AnImpossibleAllocationIsAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers end the program instead";
#endif
  EXPECT_THROW(make_cpu_backend({.n_threads = 1})->allocate(size_t{1} << 62), Error);
}

TEST(CpuBackend, RefusesImpossibleThreadCounts) {
  EXPECT_THROW(make_cpu_backend({.n_threads = 100000}), Error);
}

}  // namespace
}  // namespace glint::cpu_test
