// SPDX-License-Identifier: Apache-2.0
//
// Models that synth knows, by name: as they are, or with a vocabulary cut to what their tokenizers cannot do without
// (in the first layers of most, the embedding and the head would be the larger part).
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

inline KnownModel with_small_vocabulary(std::string_view name) {
  KnownModel model = known_model(name);
  model.n_vocab = 400;
  model.first_special = 280;
  return model;
}

}  // namespace glint::gguf
