// SPDX-License-Identifier: Apache-2.0
//
// Which function reads which architecture. An explicit list rather than self-registration, which linkers drop from
// static libraries.
#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/ranges.h>

#include "base/check.h"
#include "base/printable.h"
#include "model/arch/arch.h"

namespace glint {
namespace {

struct Architecture {
  std::string_view name;
  ModelSpec (*spec)(Keys&);
};

constexpr std::array<Architecture, 13> kArchitectures = {{
    {"deepseek2", deepseek2_spec},
    {"gemma", gemma_spec},
    {"gemma2", gemma2_spec},
    {"gemma3", gemma3_spec},
    {"glm4", glm4_spec},
    {"glm4moe", glm4moe_spec},
    {"glm4moelite", deepseek2_spec},  // Ollama's first name for GLM-4.7-Flash
    {"gpt-oss", gpt_oss_spec},
    {"llama", llama_spec},
    {"phi3", phi3_spec},
    {"qwen2", qwen2_spec},
    {"qwen3", qwen3_spec},
    {"qwen3moe", qwen3moe_spec},
}};

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) names.push_back(architecture.name);
  return names;
}

ModelSpec read_spec(const gguf::File& file, std::vector<Finding>& findings) {
  Keys keys(file);
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name != keys.architecture()) continue;
    ModelSpec spec = architecture.spec(keys);
    std::move(keys.findings().begin(), keys.findings().end(), std::back_inserter(findings));
    return spec;
  }
  fail("{}: architecture \"{}\" is not known; glint runs {}", file.name(), printable(keys.architecture()),
       fmt::join(known_architectures(), ", "));
}

}  // namespace glint
