// SPDX-License-Identifier: Apache-2.0
//
// Known models by name.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gguf/synth/models.h"

namespace glint::gguf {

/// Throws for an unknown name.
inline const KnownModel& known_model(std::string_view name) {
  const auto found = std::ranges::find(known_models(), name, &KnownModel::name);
  if (found == known_models().end()) throw std::runtime_error("synth does not know " + std::string(name));
  return *found;
}

}  // namespace glint::gguf
