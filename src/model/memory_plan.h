// SPDX-License-Identifier: Apache-2.0
//
// What a model will take of its backend's memory, to the byte, before a weight is read; and what that leaves room for.
// Used by engine/placement.cpp and `inspect --plan`. Knows no concrete backend: it asks the one that it is given.
// Tested by tests/unit/model/memory_plan_test.cpp and, against what a card really allocates, tests/unit/cuda_engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/decoder_options.h"
#include "model/spec.h"

namespace glint {

/// Parts of the free memory; each counts what the backend's allocations really take.
struct MemoryPlan {
  MachineMemory machine;
  DecoderOptions decoder;
  int64_t weights = 0;    // with a backend's own copies; of a mapped file its pages
  int64_t importing = 0;  // only until the weights are there
  int64_t cache = 0;
  int64_t scratch = 0;    // of the decoder
  int64_t workspace = 0;  // of the backend
  std::string note = {};  // why it is not where one might expect it; empty: it is

  /// When all is loaded.
  int64_t allocated() const { return weights + cache + scratch + workspace; }
  /// The most at any time, with what the process takes besides.
  int64_t needed() const;
  bool fits() const { return needed() <= machine.free_bytes; }
};

/// "17.9 of 78.5 GiB free on CUDA0 (...): weights 16.9 GiB, cache 423.0 MiB (8192 tokens, f16), working memory ..."
std::string describe(const MemoryPlan& plan);

class MemoryPlanner {
 public:
  /// Asks `backend` how much memory is free now. Throws Error as load_model would for a missing or mis-shaped tensor.
  MemoryPlanner(const gguf::File& file, const ModelSpec& spec, const Backend& backend);

  MemoryPlan plan(const DecoderOptions& options) const;
  /// The longest context up to `most` with which all else fits, in steps of kContextStep tokens; 0: none does.
  int fitting_context(DecoderOptions options, int most) const;
  /// `options` with the experts of the first layers on the host, as few as fit; absent if not even all do, or if there
  /// are none, or if the host is the machine.
  std::optional<DecoderOptions> with_experts_on_host(DecoderOptions options) const;
  /// Of the ways to make a plan fit, those that change one thing the least, as flags: "-c 65536 or -ctk q8_0". Empty:
  /// the weights alone are too much.
  std::string repairs(const DecoderOptions& options) const;

  static constexpr int kContextStep = 256;

 private:
  const ModelSpec& spec_;
  const Backend& backend_;
  MachineMemory machine_;
  std::vector<int64_t> ffn_weights_;  // of each layer
  int64_t weights_ = 0;               // of all, these included
};

}  // namespace glint
