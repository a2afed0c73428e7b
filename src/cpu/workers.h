// SPDX-License-Identifier: Apache-2.0
//
// What every op of the CPU backend runs on: the threads, the kernels of this processor, and working memory that grows
// to its largest use and is then reused, so that a step allocates nothing once warm. Knows no op.
// Used by all of cpu/; tested through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernels.h"

namespace glint::cpu {

/// Floats on a cache line boundary; growing discards the contents.
class FloatArray {
 public:
  /// At least n floats.
  float* reserve(int64_t n) {
    if (n > capacity_) {
      data_.reset();
      data_.reset(static_cast<float*>(::operator new(static_cast<size_t>(n) * sizeof(float), kAlignment)));
      capacity_ = n;
    }
    return data_.get();
  }
  float* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<float, Free> data_;
  int64_t capacity_ = 0;
};

/// Working memory of one thread; what the names mean is said where they are used.
struct alignas(64) Scratch {
  FloatArray panel;
  FloatArray lanes;
  FloatArray row;
  FloatArray keys;
  FloatArray values;
  FloatArray scores;
  FloatArray state;
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
};

struct Workers {
  Workers(int n_threads, int spins, CpuLevel cpu_level)
      : pool(n_threads, spins),
        level(cpu_level),
        kernels(cpu::kernels(cpu_level)),
        scratch(static_cast<size_t>(n_threads)) {}

  /// Runs body(begin, end, thread) over [0, n_items), all on the caller where the whole is too little to share.
  /// cost: nanoseconds of one item, roughly.
  template <class Body>
  void share(int64_t n_items, double cost, Body&& body) {
    // Waking the others costs a few microseconds. Several ranges a thread, so that one that is late does less.
    constexpr double kWorthSharing = 20000;
    constexpr double kRange = 5000;
    constexpr int64_t kRangesPerThread = 8;
    int64_t grain = n_items;
    if (static_cast<double>(n_items) * cost >= kWorthSharing) {
      const int64_t even = (n_items + pool.size() * kRangesPerThread - 1) / (pool.size() * kRangesPerThread);
      const int64_t least = static_cast<int64_t>(kRange / cost);
      grain = even > least ? even : least;
    }
    pool.parallel_for(n_items, grain > 0 ? grain : 1, body);
  }

  ThreadPool pool;
  const CpuLevel level;
  const Kernels& kernels;
  std::vector<Scratch> scratch;  // one for each thread
};

}  // namespace glint::cpu
