// SPDX-License-Identifier: Apache-2.0
//
// What a file gets wrong or leaves unsaid, in words for its user: shown by `glint inspect` and, from warning up, when a
// model is loaded. Architectures add their own while they read a file (model/arch); lint.cpp adds what holds for all.
// Tested by tests/unit/model/lint_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "gguf/file.h"

namespace glint {

struct ModelSpec;

enum class FindingLevel { kNote, kWarning };

struct Finding {
  FindingLevel level = FindingLevel::kNote;
  std::string text;
  std::string fix;  // what the user can do; may be empty
};

/// Checks that need no architecture: end-of-turn ids, labels against real types, padding of the vocabulary.
void lint_file(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings);

}  // namespace glint
