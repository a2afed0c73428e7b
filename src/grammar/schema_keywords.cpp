// SPDX-License-Identifier: Apache-2.0
//
// One reader a keyword: checks its value's form and merges it into the facets, or says that it cannot be enforced.
#include <algorithm>
#include <cmath>

#include "grammar/schema_facets.h"

namespace glint::grammar {

const std::map<std::string_view, SchemaReader::Handler>& SchemaReader::handlers() {
  using R = SchemaReader;
  static const std::map<std::string_view, Handler> table = {
      {"type", &R::read_type},
      {"enum", &R::read_enum},
      {"const", &R::read_const},
      {"not", &R::read_not},
      {"$ref", &R::read_reference},
      {"allOf", &R::read_all_of},
      {"anyOf", &R::read_any_of},
      {"oneOf", &R::read_one_of},
      {"dependentRequired", &R::read_dependent_required},
      {"dependentSchemas", &R::read_dependent_schemas},
      {"minimum", &R::read_minimum},
      {"maximum", &R::read_maximum},
      {"exclusiveMinimum", &R::read_exclusive_minimum},
      {"exclusiveMaximum", &R::read_exclusive_maximum},
      {"multipleOf", &R::read_multiple_of},
      {"minLength", &R::read_min_length},
      {"maxLength", &R::read_max_length},
      {"pattern", &R::read_pattern},
      {"format", &R::read_format},
      {"minItems", &R::read_min_items},
      {"maxItems", &R::read_max_items},
      {"items", &R::read_array_source},
      {"prefixItems", &R::read_array_source},
      {"contains", &R::read_contains},
      {"minContains", &R::annotation},  // read with contains
      {"maxContains", &R::annotation},
      {"uniqueItems", &R::read_unique_items},
      {"minProperties", &R::read_min_properties},
      {"maxProperties", &R::read_max_properties},
      {"required", &R::read_required},
      {"properties", &R::read_object_source},
      {"patternProperties", &R::read_object_source},
      {"additionalProperties", &R::read_object_source},
      {"propertyNames", &R::read_property_names},
      {"unevaluatedItems", &R::read_unevaluated},
      {"unevaluatedProperties", &R::read_unevaluated},
      {"if", &R::read_conditional},
      {"then", &R::annotation},  // means nothing without "if"
      {"else", &R::annotation},
      {"$dynamicRef", &R::read_unsupported},
      {"$recursiveRef", &R::read_unsupported},
  };
  static const std::map<std::string_view, Handler> all = [] {
    std::map<std::string_view, Handler> with = table;
    for (const char* name : {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
                             "$schema", "$id", "$anchor", "$dynamicAnchor", "$comment", "$defs", "definitions",
                             "$vocabulary", "contentEncoding", "contentMediaType", "contentSchema"}) {
      with.emplace(name, &R::annotation);
    }
    return with;
  }();
  return all;
}

void SchemaReader::unknown_keyword(const std::string& keyword, const Json& value) {
  static const std::map<std::string_view, std::string_view> advice = {
      {"nullable", "write \"type\": [..., \"null\"]"},
      {"additionalItems", "draft 2020-12 has prefixItems for the first items and items for the others"},
      {"dependencies", "draft 2020-12 has dependentRequired and dependentSchemas"},
      {"id", "draft 2020-12 has $id"},
      {"divisibleBy", "draft 2020-12 has multipleOf"},
      {"discriminator", "leave it out: a required property with a const value in each branch of oneOf says the same"},
      {"example", "draft 2020-12 has examples"},
  };
  const auto known = advice.find(keyword);
  document_.unsupported(
      &value,
      fmt::format("unknown keyword \"{}\"; {}", printable(keyword),
                  known != advice.end() ? known->second : "leave it out, or call it \"x-...\" if it is a note"),
      warnings_);
}

uint64_t SchemaReader::count_of(const Json& value) const {
  if (value.is_number()) {
    const Decimal count = Decimal::of(value);
    if (!count.negative && count.is_integer()) {
      return count.integer.size() > 18 ? uint64_t{1'000'000'000'000'000'000} : std::stoull(count.integer);
    }
  }
  document_.refuse(&value, "expected a whole number, 0 or more");
}

Decimal SchemaReader::number_of(const Json& value) const {
  if (!value.is_number()) document_.refuse(&value, "expected a number");
  return Decimal::of(value);
}

const Json* SchemaReader::check_schema(const Json& value) const {
  if (!value.is_object() && !value.is_boolean()) {
    document_.refuse(&value, "expected a schema: an object, true or false");
  }
  return &value;
}

void SchemaReader::read_type(const Json& value, const Json*, Reading& reading) {
  static const std::map<std::string_view, unsigned> names = {
      {"null", kNull},     {"boolean", kBoolean}, {"integer", kInteger}, {"number", kInteger | kFraction},
      {"string", kString}, {"array", kArray},     {"object", kObject}};
  unsigned types = 0;
  const auto add = [&](const Json& name) {
    const auto known = name.is_string() ? names.find(name.get_ref<const std::string&>()) : names.end();
    if (known == names.end()) {
      document_.refuse(&name,
                       fmt::format("unknown type {}; known are null, boolean, integer, number, string, array, object",
                                   printable(name.dump(-1, ' ', true, Json::error_handler_t::replace))));
    }
    types |= known->second;
  };
  if (value.is_array()) {
    for (const Json& name : value) add(name);
  } else {
    add(value);
  }
  reading.facets.types &= types;
}

void SchemaReader::read_enum(const Json& value, const Json*, Reading& reading) {
  if (!value.is_array()) document_.refuse(&value, "expected an array of values");
  std::vector<const Json*> values;
  for (const Json& one : value) values.push_back(&one);
  restrict_values(std::move(values), reading);
}

void SchemaReader::read_const(const Json& value, const Json*, Reading& reading) {
  restrict_values({&value}, reading);
}

void SchemaReader::restrict_values(std::vector<const Json*> values, Reading& reading) {
  auto& known = reading.facets.values;
  if (known) {
    spend(known->size() * values.size(), values.empty() ? nullptr : values[0]);
    std::erase_if(*known, [&](const Json* v) {
      return std::none_of(values.begin(), values.end(), [&](const Json* w) { return equal_json(*v, *w); });
    });
  } else {
    known = std::move(values);
  }
  reading.never |= known->empty();
}

void SchemaReader::read_not(const Json& value, const Json*, Reading& reading) {
  check_schema(value);
  if (value.is_boolean() || value.empty()) {
    reading.never |= value.is_object() || value.get<bool>();
    return;
  }
  Facets& facets = reading.facets;
  const std::string& keyword = value.begin().key();
  if (value.size() == 1 && keyword == "type") {
    Reading inner;
    read_type(value.front(), &value, inner);
    const bool integer_only = (inner.facets.types & kInteger) != 0 && (inner.facets.types & kFraction) == 0;
    if (!integer_only || (facets.types & kFraction) == 0) {
      facets.types &= ~inner.facets.types;
      return;
    }
  }
  if (value.size() == 1 && (keyword == "const" || keyword == "enum")) {
    for (const Json& one : keyword == "enum" ? value.front() : value) facets.excluded.push_back(&one);
    return;
  }
  document_.unsupported(
      &value,
      "\"not\" is supported for true, false, {\"type\": ...}, {\"const\": ...} and {\"enum\": ...} only; "
      "say what is allowed instead",
      warnings_);
}

void SchemaReader::read_reference(const Json& value, const Json* schema, Reading& reading) {
  if (!value.is_string()) document_.refuse(&value, "expected a reference such as \"#/$defs/NAME\"");
  const Json* target = document_.resolve(schema, value.get_ref<const std::string&>());
  absorb(check_schema(*target), reading);
}

void SchemaReader::read_all_of(const Json& value, const Json*, Reading& reading) {
  if (!value.is_array()) document_.refuse(&value, "expected an array of schemas");
  for (const Json& schema : value) absorb(&schema, reading);
}

void SchemaReader::add_disjunction(const Json& value, bool exclusive, Reading& reading) {
  if (!value.is_array() || value.empty()) document_.refuse(&value, "expected an array of schemas, at least one");
  Disjunction disjunction{.keyword = &value, .branches = {}, .exclusive = exclusive, .path = path_};
  for (const Json& schema : value) disjunction.branches.push_back({check_schema(schema)});
  reading.pending.push_back(std::move(disjunction));
}

void SchemaReader::read_any_of(const Json& value, const Json*, Reading& reading) {
  add_disjunction(value, false, reading);
}

void SchemaReader::read_one_of(const Json& value, const Json*, Reading& reading) {
  add_disjunction(value, true, reading);
}

void SchemaReader::read_dependent_required(const Json& value, const Json*, Reading& reading) {
  if (!value.is_object()) document_.refuse(&value, "expected an object of arrays of property names");
  for (const auto& [key, names] : value.items()) {
    if (!names.is_array()) document_.refuse(&names, "expected an array of property names");
    if (names.empty()) continue;
    const Json*& made = made_[{&names, key}];
    if (made == nullptr) made = document_.adopt(Json{{"required", names}}, &names);
    add_dependency(key, made, names, reading);
  }
}

void SchemaReader::read_dependent_schemas(const Json& value, const Json*, Reading& reading) {
  if (!value.is_object()) document_.refuse(&value, "expected an object of schemas");
  for (const auto& [key, schema] : value.items()) add_dependency(key, check_schema(schema), schema, reading);
}

/// Either the property `key` is absent, or it is there and `dependent` holds.
void SchemaReader::add_dependency(const std::string& key, const Json* dependent, const Json& keyword,
                                  Reading& reading) {
  const Json*& absent = made_[{&keyword, "absent " + key}];
  if (absent == nullptr) absent = document_.adopt(Json{{"properties", {{key, false}}}}, &keyword);
  opposites_.insert(absent);
  const Json*& present = made_[{&keyword, "present " + key}];
  if (present == nullptr) present = document_.adopt(Json{{"required", Json::array({key})}}, &keyword);
  reading.pending.push_back(
      {.keyword = &keyword, .branches = {{absent}, {present, dependent}}, .exclusive = false, .path = path_});
}

void SchemaReader::read_minimum(const Json& value, const Json*, Reading& reading) {
  reading.facets.numbers.raise_lower({number_of(value), false});
}

void SchemaReader::read_maximum(const Json& value, const Json*, Reading& reading) {
  reading.facets.numbers.drop_upper({number_of(value), false});
}

void SchemaReader::read_exclusive_minimum(const Json& value, const Json*, Reading& reading) {
  if (value.is_boolean())
    document_.refuse(&value, "expected a number: draft 2020-12 has exclusiveMinimum instead of minimum");
  reading.facets.numbers.raise_lower({number_of(value), true});
}

void SchemaReader::read_exclusive_maximum(const Json& value, const Json*, Reading& reading) {
  if (value.is_boolean())
    document_.refuse(&value, "expected a number: draft 2020-12 has exclusiveMaximum instead of maximum");
  reading.facets.numbers.drop_upper({number_of(value), true});
}

void SchemaReader::read_multiple_of(const Json& value, const Json*, Reading& reading) {
  const Decimal multiple = number_of(value);
  if (multiple.negative || multiple.is_zero()) document_.refuse(&value, "expected a number above 0");
  try {
    const CharDfa probe =
        number_automaton({.lower = {}, .upper = {}, .multiples = {multiple}}, false, {"multipleOf", 200000});
  } catch (const Error& error) {
    return document_.unsupported(&value, error.what(), warnings_);
  }
  auto& multiples = reading.facets.numbers.multiples;
  if (std::find(multiples.begin(), multiples.end(), multiple) == multiples.end()) multiples.push_back(multiple);
}

void SchemaReader::read_min_length(const Json& value, const Json*, Reading& reading) {
  auto& low = reading.facets.strings.min_length;
  low = std::max(low, count_of(value));
}

void SchemaReader::read_max_length(const Json& value, const Json*, Reading& reading) {
  auto& high = reading.facets.strings.max_length;
  high = std::min(high, count_of(value));
}

void SchemaReader::read_pattern(const Json& value, const Json*, Reading& reading) {
  if (!value.is_string()) document_.refuse(&value, "expected a regular expression as a string");
  if (strings_.pattern(value.get_ref<const std::string&>(), &value) != nullptr) {
    reading.facets.strings.patterns.push_back(&value);
  }
}

void SchemaReader::read_format(const Json& value, const Json*, Reading& reading) {
  if (!value.is_string()) document_.refuse(&value, "expected the name of a format");
  const std::string& name = value.get_ref<const std::string&>();
  if (is_annotation_format(name)) return;
  if (!is_known_format(name)) {
    return document_.unsupported(
        &value, fmt::format("format \"{}\" is not supported; leave it out, or give a pattern", printable(name)),
        warnings_);
  }
  auto& formats = reading.facets.strings.formats;
  if (std::find(formats.begin(), formats.end(), name) == formats.end()) formats.push_back(name);
}

void SchemaReader::read_min_items(const Json& value, const Json*, Reading& reading) {
  auto& low = reading.facets.arrays.min_items;
  low = std::max(low, count_of(value));
}

void SchemaReader::read_max_items(const Json& value, const Json*, Reading& reading) {
  auto& high = reading.facets.arrays.max_items;
  high = std::min(high, count_of(value));
}

void SchemaReader::read_array_source(const Json& value, const Json* schema, Reading& reading) {
  const bool prefix = schema->contains("prefixItems") && &(*schema)["prefixItems"] == &value;
  if (prefix && !value.is_array()) document_.refuse(&value, "expected an array of schemas");
  if (!prefix && value.is_array()) {
    document_.refuse(&value, "expected a schema: draft 2020-12 has prefixItems for the first items");
  }
  if (prefix) {
    for (const Json& item : value) check_schema(item);
  } else {
    check_schema(value);
  }
  auto& sources = reading.facets.arrays.sources;
  if (sources.empty() || sources.back() != schema) sources.push_back(schema);
}

void SchemaReader::read_contains(const Json& value, const Json* schema, Reading& reading) {
  check_schema(value);
  const auto min = schema->find("minContains"), max = schema->find("maxContains");
  const uint64_t least = min == schema->end() ? 1 : count_of(*min);
  if (max != schema->end()) {
    count_of(*max);
    document_.unsupported(&*max, "\"maxContains\" is not supported; bound the array with maxItems", warnings_);
  }
  if (least > 1) {
    document_.unsupported(&*min, "\"minContains\" above 1 is not supported; use prefixItems", warnings_);
  }
  if (least > 0) reading.facets.arrays.contains.push_back(&value);
}

void SchemaReader::read_unique_items(const Json& value, const Json*, Reading& reading) {
  if (!value.is_boolean()) document_.refuse(&value, "expected true or false");
  if (value.get<bool>()) reading.facets.arrays.unique = &value;
}

void SchemaReader::read_min_properties(const Json& value, const Json*, Reading& reading) {
  auto& low = reading.facets.objects.min_properties;
  low = std::max(low, count_of(value));
}

void SchemaReader::read_max_properties(const Json& value, const Json*, Reading& reading) {
  auto& high = reading.facets.objects.max_properties;
  high = std::min(high, count_of(value));
}

void SchemaReader::read_required(const Json& value, const Json*, Reading& reading) {
  if (!value.is_array()) document_.refuse(&value, "expected an array of property names");
  auto& required = reading.facets.objects.required;
  std::set<std::string> seen(required.begin(), required.end());
  for (const Json& name : value) {
    if (!name.is_string()) document_.refuse(&name, "expected a property's name");
    if (seen.insert(name.get_ref<const std::string&>()).second) required.push_back(name.get<std::string>());
  }
}

void SchemaReader::read_object_source(const Json& value, const Json* schema, Reading& reading) {
  const auto additional = schema->find("additionalProperties");
  if (additional != schema->end() && &*additional == &value) {
    check_schema(value);
  } else {
    if (!value.is_object()) document_.refuse(&value, "expected an object of schemas");
    for (const auto& [key, property] : value.items()) check_schema(property);
  }
  auto& sources = reading.facets.objects.sources;
  if (std::find(sources.begin(), sources.end(), schema) == sources.end()) sources.push_back(schema);
}

void SchemaReader::read_property_names(const Json& value, const Json*, Reading& reading) {
  reading.facets.objects.names.push_back(check_schema(value));
}

/// In the one schema that a value was read from, whatever applies to the value has been merged into the facets: what no
/// source speaks of is unevaluated.
void SchemaReader::read_unevaluated(const Json& value, const Json* schema, Reading& reading) {
  check_schema(value);
  const auto properties = schema->find("unevaluatedProperties");
  const bool of_object = properties != schema->end() && &*properties == &value;
  if (value.is_boolean() && value.get<bool>()) {
    (of_object ? reading.facets.objects.all_evaluated : reading.facets.arrays.all_evaluated) = true;
    return;
  }
  if (!reading.alone || path_.size() != 1) {
    return document_.unsupported(
        &value,
        fmt::format("\"unevaluated{}\" within other schemas is not supported; put it into the "
                    "outermost one, or list all in one schema and use \"{}\"",
                    of_object ? "Properties" : "Items", of_object ? "additionalProperties" : "items"),
        warnings_);
  }
  (of_object ? reading.facets.objects.unevaluated : reading.facets.arrays.unevaluated) = &value;
}

/// If the condition is one whose opposite can be written: either it holds, with "then", or its opposite, with "else".
void SchemaReader::read_conditional(const Json& value, const Json* schema, Reading& reading) {
  const auto then = schema->find("then"), otherwise = schema->find("else");
  if (then == schema->end() && otherwise == schema->end()) {
    reading.idle_if = true;
    return;
  }
  const auto opposites = negation_of(*check_schema(value));
  if (!opposites) {
    return document_.unsupported(
        &value,
        "\"if\" is supported where it asks for const or enum values of properties; write other "
        "cases as branches of anyOf",
        warnings_);
  }
  Disjunction disjunction{.keyword = &value, .branches = {{&value}}, .exclusive = false, .path = path_};
  if (then != schema->end()) disjunction.branches[0].push_back(check_schema(*then));
  for (const Json* opposite : *opposites) {
    disjunction.branches.push_back({opposite});
    if (otherwise != schema->end()) disjunction.branches.back().push_back(check_schema(*otherwise));
  }
  reading.pending.push_back(std::move(disjunction));
}

/// Schemas one of which holds where `condition` does not; null if the condition is not simple enough.
std::optional<std::vector<const Json*>> SchemaReader::negation_of(const Json& condition) {
  if (condition.is_boolean()) return std::nullopt;
  Json opposites = Json::array();
  for (const auto& [keyword, value] : condition.items()) {
    if (keyword == "required" && value.is_array()) {
      for (const Json& key : value) {
        if (!key.is_string()) return std::nullopt;
        opposites.push_back({{"type", "object"}, {"properties", {{key.get<std::string>(), false}}}});
      }
    } else if (keyword == "type" && value == "object") {
      opposites.push_back({{"not", {{"type", "object"}}}});
    } else if (keyword != "properties" || !value.is_object()) {
      return std::nullopt;
    }
  }
  if (const auto properties = condition.find("properties"); properties != condition.end()) {
    for (const auto& [key, schema] : properties->items()) {
      const bool simple =
          schema.is_object() && schema.size() == 1 && (schema.contains("const") || schema.contains("enum"));
      if (!simple) return std::nullopt;
      Json opposite = {
          {"type", "object"}, {"properties", {{key, {{"not", schema}}}}}, {"required", Json::array({key})}};
      opposites.push_back(std::move(opposite));
    }
  }
  std::vector<const Json*> schemas;
  for (const Json& opposite : opposites) {
    const Json*& made = made_[{&condition, opposite.dump()}];
    if (made == nullptr) made = document_.adopt(opposite, &condition);
    opposites_.insert(made);
    schemas.push_back(made);
  }
  return schemas;
}

void SchemaReader::read_unsupported(const Json& value, const Json*, Reading&) {
  document_.unsupported(&value, "dynamic references are not supported; use $ref", warnings_);
}

}  // namespace glint::grammar
