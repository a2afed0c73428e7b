// SPDX-License-Identifier: Apache-2.0
//
// Facets to grammar: one rule a conjunction of schemas, made when it is first called for, so that recursive schemas
// end. schema_containers.cpp writes arrays and objects. Called by json_schema.cpp only. Tested by
// tests/unit/grammar/json_schema_test.cpp.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grammar/builder.h"
#include "grammar/schema_facets.h"

namespace glint::grammar {

/// Counts are kept in 32 bits at run time; no text is longer.
inline uint32_t run_time_count(uint64_t count) {
  return count == kNoMaximum ? kUnbounded : static_cast<uint32_t>(std::min<uint64_t>(count, kUnbounded - 1));
}

class SchemaValues {
 public:
  SchemaValues(Builder& builder, SchemaReader& reader, const JsonSchemaOptions& options,
               std::vector<std::string>& warnings)
      : builder_(builder), reader_(reader), options_(options), warnings_(warnings) {}

  /// A call of the rule of all values that satisfy the document's root. Defines every rule that it needs.
  Builder::Expr root();
  // For those who write values in another frame; define_rules() comes last.
  /// A call of the rule of all values that satisfy the schemas.
  Builder::Expr value(const Conjunction& schemas);
  /// The values of one alternative.
  Builder::Expr alternative(const Facets& facets);
  /// Defines the rules that were called for, and those that they call for.
  void define_rules();
  /// Pointer of the first schema that was found to have no value, empty if none was.
  const std::string& impossible() const { return impossible_; }

 private:
  using Expr = Builder::Expr;
  using Network = Builder::Network;

  Expr never(const Json* origin);
  Expr literal(const Json& value);
  Expr number(const Facets& facets);
  Expr string(const StringFacets& facets, const Json* origin);
  Expr any_character();
  Expr separator(const char* mark);

  Expr array(const Facets& facets);
  Expr array_with(const Facets& facets, const Json* contained);
  std::optional<Expr> unique_array(const ArrayFacets& arrays);
  Expr object(const Facets& facets);
  struct Property {
    Expr item = 0;  // key, colon, value
    bool required = false;
  };
  std::vector<Property> properties_of(const Facets& facets, std::vector<std::string>& not_undeclared);
  Expr undeclared_property(const Facets& facets, const std::vector<std::string>& taken);
  Expr members(const Facets& facets, const std::vector<Property>& properties, Expr undeclared, bool has_undeclared);
  CharDfa names_automaton(const Facets& facets);

  /// The expression made by `make` under `key`, as a rule that all uses share.
  template <class Make>
  Expr shared(const std::string& key, Make&& make);

  Builder& builder_;
  SchemaReader& reader_;
  const JsonSchemaOptions& options_;
  std::vector<std::string>& warnings_;
  std::map<Conjunction, int32_t> rules_;
  std::vector<std::pair<Conjunction, int32_t>> pending_;
  std::map<std::string, int32_t> shared_;
  std::optional<Expr> character_;  // one for all strings, so that their counted loops are one rule
  std::string impossible_;
};

template <class Make>
Builder::Expr SchemaValues::shared(const std::string& key, Make&& make) {
  const auto known = shared_.find(key);
  if (known != shared_.end()) return builder_.call(known->second);
  const Expr body = make();
  const int32_t rule = builder_.declare(key);
  builder_.define(rule, body);
  shared_[key] = rule;
  return builder_.call(rule);
}

}  // namespace glint::grammar
