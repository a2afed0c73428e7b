// SPDX-License-Identifier: Apache-2.0
//
// Which layers' experts stay in host memory, from what the user said: a number of layers, or patterns of tensors'
// names. Used by placement.cpp. Tested by tests/unit/engine/expert_places_test.cpp.
#pragma once

#include <vector>

#include "engine/engine_options.h"
#include "model/spec.h"

namespace glint {

/// For each layer. Empty when nothing stays. Throws Error for patterns that are none, and for those that part what
/// belongs together: experts stay as a layer's whole, and everything else goes where the model goes.
std::vector<bool> experts_on_host(const ModelSpec& spec, const EngineOptions& options);

}  // namespace glint
