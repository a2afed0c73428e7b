// SPDX-License-Identifier: Apache-2.0
//
// Shared by the fuzz targets of grammars: walks a grammar by bytes that the input chooses.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "grammar/machine.h"

namespace glint::grammar {

/// Aborts at a dead end. The text, empty if it was not complete after 300 bytes.
inline std::string walk_grammar(Grammar made, const uint8_t* choices, size_t n_choices) {
  const auto grammar = std::make_shared<const Grammar>(std::move(made));
  Machine machine(grammar, {.max_depth = 60, .max_threads = 100, .max_work = 2'000'000});
  Machine::Config at = machine.start();
  std::string text;
  for (size_t n = 0; n < 300; ++n) {
    const uint8_t choice = n_choices == 0 ? 0 : choices[n * 7 % n_choices];
    std::vector<uint8_t> allowed;
    for (int byte = 0; byte < 256; ++byte) {
      if (machine.step(at, static_cast<uint8_t>(byte)) != Machine::kDead) allowed.push_back(static_cast<uint8_t>(byte));
    }
    if (allowed.empty() && !machine.complete(at)) std::abort();
    if (machine.complete(at) && (allowed.empty() || choice % 4 == 0)) return text;
    const uint8_t byte = allowed[choice % allowed.size()];
    at = machine.step(at, byte);
    text += static_cast<char>(byte);
  }
  return {};
}

}  // namespace glint::grammar
