// SPDX-License-Identifier: Apache-2.0
//
// The least time in which a machine could run a step: all weights and cached rows that it must read at the speed of its
// memory, or all multiply-adds at the speed of its arithmetic, whichever takes longer. What is read or computed more
// than once, norms, routing and launches count nothing: that is what a measured time is held against. Used by
// engine/bench.cpp. Tested by tests/unit/model/roofline_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/decoder_options.h"
#include "model/spec.h"

namespace glint {

class Roofline {
 public:
  /// Throws Error as load_model would for a missing or mis-shaped tensor.
  Roofline(const gguf::File& file, const ModelSpec& spec, KvFormat format);

  /// What one step of n_tokens of one sequence must do that has n_past in the cache, with logits of the last alone.
  double bytes(int n_tokens, int n_past) const;
  double flops(int n_tokens, int n_past) const;
  /// 0 where the limits are not known.
  double seconds(const MachineLimits& limits, int n_tokens, int n_past) const;

 private:
  struct Matrix {
    double bytes = 0;
    double parameters = 0;
    double share = 1;      // of it that one token reads (a row, the chosen experts)
    bool is_head = false;  // only rows whose logits are asked for pass through
  };
  struct Layer {
    double row_bytes = 0;        // of the cache
    double flops_of_a_pair = 0;  // of one query, all heads, with one cached token
    int window = 0;
  };
  std::vector<Matrix> matrices_;
  std::vector<Layer> layers_;
};

}  // namespace glint
