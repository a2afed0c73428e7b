// SPDX-License-Identifier: Apache-2.0
//
// The one place that names concrete backends. Called by engine/engine.cpp.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace glint {

/// "ref", "cpu" or "cuda"; n_threads 0 means the cores really available. Throws Error for a backend that this build or
/// machine lacks, naming what it has.
std::unique_ptr<Backend> make_backend(const std::string& name, int n_threads);

}  // namespace glint
