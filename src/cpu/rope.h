// SPDX-License-Identifier: Apache-2.0
//
// Rotary embedding on the CPU. All layers of a step rotate by the same positions, so the cosines and sines of a batch
// are computed once and kept. Called by cpu_backend.cpp. Tested by tests/unit/cpu/cpu_backend_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/params.h"
#include "cpu/workers.h"

namespace glint::cpu {

/// Backend::rope. The object only keeps tables between calls.
class Rope {
 public:
  void run(const Tensor& x, const int32_t* positions, const RopeParams& params, Workers& workers);

 private:
  /// Factors of every row in the order of its elements, see Kernels::rotate_halves.
  struct Table {
    std::vector<int32_t> positions;
    std::vector<float> inverse_frequency;
    float scale = 0;
    bool interleaved = false;
    std::vector<float> cosine;  // [n_rows, n_dims]
    std::vector<float> sine;

    bool is_for(std::span<const int32_t> row_positions, const RopeParams& params) const;
    void make(std::span<const int32_t> row_positions, const RopeParams& params, Workers& workers);
  };

  const Table& table_for(std::span<const int32_t> positions, const RopeParams& params, Workers& workers);

  std::array<Table, 2> tables_;  // some models rotate by two kinds of frequencies, layer by layer
  size_t oldest_ = 0;
};

}  // namespace glint::cpu
