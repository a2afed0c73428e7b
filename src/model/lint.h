// SPDX-License-Identifier: Apache-2.0
//
// What a file gets wrong or leaves unsaid, in words for its user: shown by `glint inspect` and, from warning up, when a
// model is loaded. Architectures add their own while they read a file (model/arch); lint.cpp adds what holds for all.
// A finding never stops a model from loading: that is what Error is for.
// Tested by tests/unit/model/lint_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"

namespace glint {

struct ModelSpec;

enum class FindingLevel {
  kNote,     // worth knowing
  kWarning,  // probably not what the user wants, or a file to be replaced
  kError,    // the model will not answer as its makers meant
};

/// "note", "warning", "error".
std::string_view finding_level_name(FindingLevel level);

struct Finding {
  FindingLevel level = FindingLevel::kNote;
  std::string text;
  std::string fix;  // what the user can do; may be empty
};

/// Checks that need no architecture: labels against real types, the vocabulary against the model, prediction blocks.
void lint_file(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings);

}  // namespace glint
