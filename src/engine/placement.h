// SPDX-License-Identifier: Apache-2.0
//
// Where a model will run and how long its context will be: what the user set is kept or refused with the smallest
// change that would do, and what was left open is chosen to fit the memory that is free. Before any weight is read.
// Called by engine.cpp and `inspect --plan`. Tested by tests/unit/small_card/small_card_test.cpp.
#pragma once

#include <memory>
#include <string>

#include "engine/engine_options.h"
#include "gguf/file.h"
#include "model/memory_plan.h"

namespace glint {

struct Placement {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Backend> host;  // computes the experts that stay in host memory; absent when none do
  EngineOptions options;          // nothing is open any more
  MemoryPlan plan;
};

/// Throws Error.
Placement place_model(const gguf::File& file, const ModelSpec& spec, const EngineOptions& requested);

/// The same on a given backend: chooses the context alone. `on_host`: DecoderOptions::ffn_on_host.
MemoryPlan fit_context(const MemoryPlanner& planner, const ModelSpec& spec, const EngineOptions& requested,
                       const std::vector<bool>& on_host = {});

}  // namespace glint
