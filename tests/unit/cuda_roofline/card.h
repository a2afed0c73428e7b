// SPDX-License-Identifier: Apache-2.0
//
// The card under a test of a kernel at a real model's shapes, and the line that says what share of the card's limit a
// call reaches there: what it must read and write at the memory's speed or multiply at the tensor cores', whichever
// takes longer, over the median time. Times are printed and nothing depends on them. On the emulated card, which has no
// time, shapes are small and results alone are checked.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "cuda/cuda_backend.h"

namespace glint::roofline_test {

bool is_emulated();

/// `full` on a real card.
inline int on_card(int full, int emulated) {
  return is_emulated() ? emulated : full;
}

/// What one call must move and multiply at least, counting nothing twice.
struct Cost {
  double bytes = 0;
  double flops = 0;
};

/// Names of a line of the table.
struct Line {
  std::string op;
  std::string shape;
  int n_rows = 0;
};

class Card {
 public:
  /// generic_only: with the kernels that every card runs (CudaOptions).
  explicit Card(bool generic_only = false);
  Backend& backend() { return *backend_; }

  /// Sets of operands of so many bytes that calls take in turns, so that none finds its own in the card's L2: as many
  /// as that takes, but at most kMostCopies.
  int copies_for(double bytes) const;
  /// Times call(0), call(1) .. call(n_copies - 1), call(0) .. as one recorded step, and prints the line. Call it at
  /// most Backend::recorded_tokens() times. Operands are the caller's to keep.
  void measure(const Line& line, const Cost& cost, int n_copies, const std::function<void(int copy)>& call);
  /// For all that is enqueued.
  void wait();

 private:
  double seconds_of_a_call(double least_seconds, int n_copies, const std::function<void(int copy)>& call);

  static constexpr int kMostCopies = 256;

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Buffer> word_;  // what is downloaded to wait
  MachineLimits limits_;
  uint64_t n_measured_ = 0;
};

/// Skips where no card answers.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  }
};

}  // namespace glint::roofline_test
