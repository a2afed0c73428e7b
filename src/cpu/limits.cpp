// SPDX-License-Identifier: Apache-2.0
#include "cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

namespace glint::cpu {
namespace {

/// The shortest of a few runs.
double best_seconds(const std::function<void()>& body) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int i = 0; i < 4; ++i) {
    const Clock::time_point start = Clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return std::max(best, 1e-9);
}

}  // namespace

MachineLimits measure_limits(Workers& workers) {
  constexpr int64_t kFloats = int64_t{64} << 20;  // 256 MiB
  constexpr int64_t kRange = 64 << 10;
  constexpr int64_t kBursts = 200'000;
  std::atomic<float> sink{0};  // so that nothing is left out
  const std::vector<float> memory(kFloats, 1.0f);
  const double sweep = best_seconds([&] {
    workers.pool.parallel_for(kFloats, kRange, [&](int64_t begin, int64_t end, int) {
      sink = workers.kernels.sum_of_squares(memory.data() + begin, end - begin);
    });
  });
  const double burst = best_seconds([&] {
    workers.pool.parallel_for(workers.pool.size(), 1, [&](int64_t, int64_t, int) {
      sink = workers.kernels.multiply_add_burst(kBursts, 0.5f, 1.0f);
    });
  });
  const double flops = 2.0 * kBurstLanes * static_cast<double>(kBursts) * workers.pool.size();
  return {.bytes_per_second = static_cast<double>(kFloats) * sizeof(float) / sweep, .flops_per_second = flops / burst};
}

}  // namespace glint::cpu
