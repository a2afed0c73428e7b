// SPDX-License-Identifier: Apache-2.0
//
// What the flags of placement mean: -dev, -ngl, --list-devices. Used by model_options.cpp and bench.cpp.
#pragma once

#include <string>

#include "engine/engine_options.h"

namespace glint::app {

/// -dev: "none" is the CPU, "CUDA<i>" a card, "" leaves things as they are. Throws Error for anything else.
void apply_device(const std::string& device, EngineOptions& options);
/// -ngl: "", "auto", "all" and negative numbers mean all (-1). Throws Error for what is no number.
int parse_gpu_layers(const std::string& text);
/// What --list-devices prints.
std::string device_list();

}  // namespace glint::app
