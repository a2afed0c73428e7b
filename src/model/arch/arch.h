// SPDX-License-Identifier: Apache-2.0
//
// From a file's architecture name to a ModelSpec. The registry (registry.cpp) is an explicit list: adding an architecture
// is one function (one file), one line here and one line there; docs/ADDING_A_MODEL.md walks through it.
// Tested by tests/unit/model/golden_test.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "model/arch/keys.h"
#include "model/spec.h"

namespace glint {

ModelSpec deepseek2_spec(Keys& keys);
ModelSpec gemma_spec(Keys& keys);
ModelSpec gemma2_spec(Keys& keys);
ModelSpec gemma3_spec(Keys& keys);
ModelSpec glm4_spec(Keys& keys);
ModelSpec glm4moe_spec(Keys& keys);
ModelSpec gpt_oss_spec(Keys& keys);
ModelSpec llama_spec(Keys& keys);
ModelSpec phi3_spec(Keys& keys);
ModelSpec qwen2_spec(Keys& keys);
ModelSpec qwen3_spec(Keys& keys);
ModelSpec qwen3moe_spec(Keys& keys);

/// Reads the spec with the function of the file's architecture; throws Error listing the known ones. Findings of the
/// architecture are appended.
ModelSpec read_spec(const gguf::File& file, std::vector<Finding>& findings);

std::vector<std::string_view> known_architectures();

}  // namespace glint
