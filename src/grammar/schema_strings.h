// SPDX-License-Identifier: Apache-2.0
//
// Strings of JSON schemas: lengths, patterns and formats as one automaton, made once each.
// Called by schema_facets and schema_values; knows nothing of other types.
// Tested by tests/unit/grammar/json_schema_test.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/char_dfa.h"
#include "grammar/schema_document.h"

namespace glint::grammar {

struct StringFacets {
  uint64_t min_length = 0, max_length = kNoMaximum;
  std::vector<const Json*> patterns;  // the schemas' "pattern" values
  std::vector<std::string> formats;   // known ones
  std::vector<std::string> excluded;  // by "not"

  bool only_lengths() const { return patterns.empty() && formats.empty() && excluded.empty(); }
};

bool is_known_format(std::string_view name);
/// The regular expression of a known format.
std::string regex_of_format(std::string_view name);
/// Formats that say nothing about a string's characters.
bool is_annotation_format(std::string_view name);

class SchemaStrings {
 public:
  SchemaStrings(const SchemaDocument& document, const JsonSchemaOptions& options, std::vector<std::string>& warnings)
      : document_(document), options_(options), warnings_(warnings) {}

  /// Strings in which the pattern matches; null for one that is not supported (in non-strict mode).
  const CharDfa* pattern(std::string_view text, const Json* origin);
  /// Strings that keep all facets; empty if none does.
  CharDfa automaton(const StringFacets& facets, const Json* origin);
  bool admits(const StringFacets& facets, const std::string& text, const Json* origin);

  /// Counts an automaton against max_automaton_states.
  void spend(const CharDfa& dfa, const Json* origin);
  static constexpr DfaLimit kLimit = {"string", 20000};

 private:
  const SchemaDocument& document_;
  const JsonSchemaOptions& options_;
  std::vector<std::string>& warnings_;
  std::map<std::string, std::optional<CharDfa>> patterns_;
  std::map<std::string, CharDfa, std::less<>> formats_;
  size_t spent_ = 0;
};

}  // namespace glint::grammar
