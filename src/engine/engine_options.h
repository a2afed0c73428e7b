// SPDX-License-Identifier: Apache-2.0
//
// What whoever opens an Engine may set. Filled by apps/model_options.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/load.h"
#include "model/memory_plan.h"
#include "tensor/dtype.h"

namespace glint {

struct EngineOptions {
  std::string backend = "cpu";  // auto (a card, or else the CPU) | cpu | cuda | ref
  int card = 0;                 // of cuda
  bool generic_cards = false;   // cuda: only kernels that every card runs, with 99 KB of shared memory
  int n_gpu_layers = -1;        // -1: all where the backend is a card; 0: none, that is the CPU
  int n_cpu_moe = 0;            // layers from the first whose experts stay in host memory; -1: all
  std::vector<std::string> tensor_places =
      {};               // "REGEX=CPU" or "REGEX=CUDA0", the first that is found in a name counts
  int n_threads = 0;    // 0: the cores really available
  int n_ctx = 0;        // tokens of cache; 0: what the model was trained for, lowered to what memory allows
  int least_ctx = 0;    // with 0 above: it does not fit where memory allows fewer tokens than these and it was trained for
  int n_ubatch = 512;   // prompt tokens computed at once
  int n_sequences = 1;  // sequences the cache can hold at the same time
  DType k_dtype = DType::kF16;
  DType v_dtype = DType::kF16;
  /// Told where the model goes and what it takes there, before weights are read.
  std::function<void(const MemoryPlan&)> on_plan = nullptr;
  /// Told how much of the weights is there; may throw to give up.
  LoadProgress on_load = nullptr;
};

}  // namespace glint
