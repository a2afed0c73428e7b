// SPDX-License-Identifier: Apache-2.0
//
// What a set of schemas that apply together demands, type by type. $ref and allOf are followed, anyOf and oneOf
// multiplied out, so that what is left is a list of alternatives without applicators: one Facets each.
// Called by schema_values; schema_keywords.cpp reads the keywords, schema_relations.cpp compares.
// Tested by tests/unit/grammar/json_schema_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/schema_document.h"
#include "grammar/schema_numbers.h"
#include "grammar/schema_strings.h"

namespace glint::grammar {

/// Schemas that all apply to one value, in the order they were met.
using Conjunction = std::vector<const Json*>;

enum TypeBit : unsigned {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,  // numbers that are no integers
  kString = 16,
  kArray = 32,
  kObject = 64,
  kEveryType = 127,
};

struct ArrayFacets {
  uint64_t min_items = 0, max_items = kNoMaximum;
  std::vector<const Json*> sources;   // schemas with prefixItems or items
  std::vector<const Json*> contains;  // schemas that some item must satisfy
  const Json* unique = nullptr;       // "uniqueItems": true
  const Json* unevaluated = nullptr;  // schema of items that no source speaks of
  bool all_evaluated = false;         // by an inner "unevaluatedItems": true
};

struct ObjectFacets {
  uint64_t min_properties = 0, max_properties = kNoMaximum;
  std::vector<std::string> required;
  std::vector<const Json*> sources;   // schemas with properties, patternProperties or additionalProperties
  std::vector<const Json*> names;     // schemas of propertyNames
  const Json* unevaluated = nullptr;  // schema of properties that no source speaks of
  bool all_evaluated = false;         // by an inner "unevaluatedProperties": true
};

struct Facets {
  const Json* origin = nullptr;  // for messages
  unsigned types = kEveryType;
  std::optional<std::vector<const Json*>> values;  // enum and const: one of these
  std::vector<const Json*> excluded;               // by "not": none of these
  NumberBounds numbers;
  StringFacets strings;
  ArrayFacets arrays;
  ObjectFacets objects;
};

class SchemaReader {
 public:
  SchemaReader(SchemaDocument& document, const JsonSchemaOptions& options, std::vector<std::string>& warnings)
      : document_(document), options_(options), warnings_(warnings), strings_(document, options, warnings) {}

  SchemaDocument& document() { return document_; }
  SchemaStrings& strings() { return strings_; }

  /// The same conjunction with references that say nothing else followed: equal ones get equal.
  Conjunction followed(Conjunction schemas) const;
  /// The alternatives of a conjunction; none if nothing satisfies it. Valid as long as the reader.
  const std::vector<Facets>& alternatives(const Conjunction& schemas);

  /// What applies to the item at `index`, to the property `key`.
  Conjunction item_schemas(const ArrayFacets& facets, size_t index) const;
  Conjunction property_schemas(const ObjectFacets& facets, const std::string& key);
  /// The property may never be there.
  static bool is_forbidden(const Conjunction& schemas);

  bool admits(const Facets& facets, const Json& value, int nesting = 0);
  bool admits(const Conjunction& schemas, const Json& value, int nesting = 0);
  /// No value that is generated for `made` satisfies `other`. False may also mean not known.
  bool excludes(const Facets& made, const Facets& other, int nesting = 0);

  /// Whether `source` speaks of the properties that it names, as "unevaluated..." understands it.
  bool evaluates(const Json* source) const { return !opposites_.contains(source); }
  /// Declared properties of all sources and then further required ones, each once, in order.
  std::vector<std::string> declared_properties(const ObjectFacets& facets) const;
  /// Whether generated objects may have properties that no source declares or matches.
  bool allows_undeclared(const ObjectFacets& facets) const;

 private:
  struct Disjunction {
    const Json* keyword = nullptr;  // for messages
    std::vector<Conjunction> branches;
    bool exclusive = false;
    std::vector<const Json*> path;
  };
  struct Reading {
    Facets facets;
    std::vector<Disjunction> pending;
    std::set<const Json*> seen;
    bool never = false;
    bool idle_if = false;  // an "if" that demands nothing, but speaks of properties
    bool alone = false;    // one schema was read from: what it leaves unevaluated is known
  };
  using Handler = void (SchemaReader::*)(const Json& value, const Json* schema, Reading& reading);
  static const std::map<std::string_view, Handler>& handlers();

  /// As alternatives(), null while they are being read or too many others are: for questions that may stay open.
  const std::vector<Facets>* try_alternatives(const Conjunction& schemas);
  /// Counts steps, so that a hostile schema ends in an Error rather than in minutes of work.
  void spend(size_t steps, const Json* origin);
  void absorb(const Json* schema, Reading& reading);
  void expand(const Reading& reading, std::vector<Facets>& out);
  Facets finished(const Reading& reading);
  void require_disjoint(const Disjunction& disjunction, const std::vector<std::vector<Facets>>& branches);

  void annotation(const Json&, const Json*, Reading&) {}
  void read_type(const Json& value, const Json* schema, Reading& reading);
  void read_enum(const Json& value, const Json* schema, Reading& reading);
  void read_const(const Json& value, const Json* schema, Reading& reading);
  void restrict_values(std::vector<const Json*> values, Reading& reading);
  void read_not(const Json& value, const Json* schema, Reading& reading);
  void read_reference(const Json& value, const Json* schema, Reading& reading);
  void read_all_of(const Json& value, const Json* schema, Reading& reading);
  void read_any_of(const Json& value, const Json* schema, Reading& reading);
  void read_one_of(const Json& value, const Json* schema, Reading& reading);
  void add_disjunction(const Json& value, bool exclusive, Reading& reading);
  void read_dependent_required(const Json& value, const Json* schema, Reading& reading);
  void read_dependent_schemas(const Json& value, const Json* schema, Reading& reading);
  void add_dependency(const std::string& key, const Json* dependent, const Json& keyword, Reading& reading);
  void read_minimum(const Json& value, const Json* schema, Reading& reading);
  void read_maximum(const Json& value, const Json* schema, Reading& reading);
  void read_exclusive_minimum(const Json& value, const Json* schema, Reading& reading);
  void read_exclusive_maximum(const Json& value, const Json* schema, Reading& reading);
  void read_multiple_of(const Json& value, const Json* schema, Reading& reading);
  void read_min_length(const Json& value, const Json* schema, Reading& reading);
  void read_max_length(const Json& value, const Json* schema, Reading& reading);
  void read_pattern(const Json& value, const Json* schema, Reading& reading);
  void read_format(const Json& value, const Json* schema, Reading& reading);
  void read_min_items(const Json& value, const Json* schema, Reading& reading);
  void read_max_items(const Json& value, const Json* schema, Reading& reading);
  void read_array_source(const Json& value, const Json* schema, Reading& reading);
  void read_contains(const Json& value, const Json* schema, Reading& reading);
  void read_unique_items(const Json& value, const Json* schema, Reading& reading);
  void read_min_properties(const Json& value, const Json* schema, Reading& reading);
  void read_max_properties(const Json& value, const Json* schema, Reading& reading);
  void read_required(const Json& value, const Json* schema, Reading& reading);
  void read_object_source(const Json& value, const Json* schema, Reading& reading);
  void read_property_names(const Json& value, const Json* schema, Reading& reading);
  void read_unevaluated(const Json& value, const Json* schema, Reading& reading);
  void read_conditional(const Json& value, const Json* schema, Reading& reading);
  std::optional<std::vector<const Json*>> negation_of(const Json& condition);
  void read_unsupported(const Json& value, const Json* schema, Reading& reading);
  void unknown_keyword(const std::string& keyword, const Json& value);
  uint64_t count_of(const Json& value) const;
  Decimal number_of(const Json& value) const;
  const Json* check_schema(const Json& value) const;
  bool excludes_object(const Facets& made, const Facets& other, int nesting);
  bool excludes_all(const Conjunction& made, const Conjunction& other, int nesting);

  SchemaDocument& document_;
  const JsonSchemaOptions& options_;
  std::vector<std::string>& warnings_;
  SchemaStrings strings_;
  std::map<Conjunction, std::unique_ptr<std::vector<Facets>>> alternatives_;
  std::map<std::pair<const Json*, std::string>, const Json*> made_;  // schemas made of dependencies
  std::set<const Json*> opposites_;  // of those, what says that a condition does not hold
  std::vector<const Json*> path_;    // schemas that are being absorbed
  size_t work_ = 0, n_readings_ = 0;
};

/// As JSON Schema compares: numbers by value, objects without regard to order.
bool equal_json(const Json& a, const Json& b);
/// Canonical text of a scalar: what generated text looks like.
std::string scalar_text(const Json& value);

}  // namespace glint::grammar
