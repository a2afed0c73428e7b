// SPDX-License-Identifier: Apache-2.0
//
// The models in a folder: every GGUF file by its name without ".gguf", a split set once.
// Called by apps/serve. Tested by tests/unit/server/models_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "server/models.h"

namespace glint::server {

/// In the order of names. Throws Error for a folder that cannot be read or has none.
std::vector<ModelEntry> list_model_folder(const std::string& path);

}  // namespace glint::server
