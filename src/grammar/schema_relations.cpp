// SPDX-License-Identifier: Apache-2.0
//
// Questions about values and alternatives: whether a value keeps facets (for enum and const), and whether two
// alternatives exclude each other (for oneOf). Exact where it says yes; "not known" counts as the careful answer.
#include <algorithm>

#include "grammar/schema_facets.h"

namespace glint::grammar {
namespace {

constexpr int kMaxNesting = 64;         // of values
constexpr int kMaxExcludesNesting = 4;  // of properties looked into

unsigned type_of(const Json& value) {
  if (value.is_null()) return kNull;
  if (value.is_boolean()) return kBoolean;
  if (value.is_string()) return kString;
  if (value.is_array()) return kArray;
  if (value.is_object()) return kObject;
  return Decimal::of(value).is_integer() ? kInteger : kFraction;
}

}  // namespace

bool equal_json(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return Decimal::of(a) == Decimal::of(b);
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), [](const Json& x, const Json& y) { return equal_json(x, y); });
  }
  if (a.is_object()) {
    return std::all_of(a.items().begin(), a.items().end(), [&](const auto& item) {
      const auto other = b.find(item.key());
      return other != b.end() && equal_json(item.value(), *other);
    });
  }
  return a == b;
}

std::string scalar_text(const Json& value) {
  if (!value.is_number()) return value.dump();
  const Decimal decimal = Decimal::of(value);
  const bool readable = decimal.integer.size() <= 21 && decimal.fraction.size() <= 21;
  return readable ? decimal.text() : value.dump();
}

bool SchemaReader::admits(const Conjunction& schemas, const Json& value, int nesting) {
  const std::vector<Facets>* facets = try_alternatives(schemas);
  return facets == nullptr ||
         std::any_of(facets->begin(), facets->end(), [&](const Facets& f) { return admits(f, value, nesting); });
}

bool SchemaReader::admits(const Facets& facets, const Json& value, int nesting) {
  if (nesting > kMaxNesting)
    document_.refuse(facets.origin, fmt::format("values nested more than {} deep", kMaxNesting));
  spend(1 + (facets.values ? facets.values->size() : 0) + facets.excluded.size(), facets.origin);
  const unsigned type = type_of(value);
  if ((facets.types & type) == 0) return false;
  const auto is_value = [&](const Json* other) { return equal_json(*other, value); };
  if (facets.values && std::none_of(facets.values->begin(), facets.values->end(), is_value)) return false;
  if (std::any_of(facets.excluded.begin(), facets.excluded.end(), is_value)) return false;
  if (type == kInteger || type == kFraction) return facets.numbers.admit(Decimal::of(value));
  if (type == kString) return strings_.admits(facets.strings, value.get_ref<const std::string&>(), facets.origin);
  if (type == kArray) {
    const ArrayFacets& arrays = facets.arrays;
    if (value.size() < arrays.min_items || value.size() > arrays.max_items) return false;
    for (size_t i = 0; i < value.size(); ++i) {
      if (!admits(item_schemas(arrays, i), value[i], nesting + 1)) return false;
    }
    for (size_t i = 0; arrays.unique != nullptr && i < value.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (equal_json(value[i], value[j])) return false;
      }
    }
    return std::all_of(arrays.contains.begin(), arrays.contains.end(), [&](const Json* contained) {
      return std::any_of(value.begin(), value.end(),
                         [&](const Json& v) { return admits(Conjunction{contained}, v, nesting + 1); });
    });
  }
  if (type != kObject) return true;
  const ObjectFacets& objects = facets.objects;
  if (value.size() < objects.min_properties || value.size() > objects.max_properties) return false;
  for (const std::string& key : objects.required) {
    if (!value.contains(key)) return false;
  }
  for (const auto& [key, property] : value.items()) {
    if (!admits(property_schemas(objects, key), property, nesting + 1)) return false;
    if (!objects.names.empty() && !admits(Conjunction(objects.names), Json(key), nesting + 1)) return false;
  }
  return true;
}

bool SchemaReader::excludes_all(const Conjunction& made, const Conjunction& other, int nesting) {
  const std::vector<Facets>*a = try_alternatives(made), *b = try_alternatives(other);
  if (a == nullptr || b == nullptr) return false;
  spend(a->size() * b->size(), made.empty() ? &document_.root() : made[0]);
  return std::all_of(a->begin(), a->end(), [&](const Facets& x) {
    return std::all_of(b->begin(), b->end(), [&](const Facets& y) { return excludes(x, y, nesting); });
  });
}

bool SchemaReader::excludes(const Facets& made, const Facets& other, int nesting) {
  if (nesting > kMaxExcludesNesting) return false;
  if (made.values) {
    return std::none_of(made.values->begin(), made.values->end(),
                        [&](const Json* v) { return admits(made, *v) && admits(other, *v); });
  }
  if (other.values) {
    return std::none_of(other.values->begin(), other.values->end(),
                        [&](const Json* v) { return admits(made, *v) && admits(other, *v); });
  }
  const unsigned both = made.types & other.types;
  if ((both & (kNull | kBoolean)) != 0) return false;
  if ((both & (kInteger | kFraction)) != 0 && !made.numbers.disjoint(other.numbers)) return false;
  if ((both & kString) != 0) {
    StringFacets joined = made.strings;
    joined.min_length = std::max(joined.min_length, other.strings.min_length);
    joined.max_length = std::min(joined.max_length, other.strings.max_length);
    joined.patterns.insert(joined.patterns.end(), other.strings.patterns.begin(), other.strings.patterns.end());
    joined.formats.insert(joined.formats.end(), other.strings.formats.begin(), other.strings.formats.end());
    const bool no_length = joined.min_length > joined.max_length;
    if (!no_length && (joined.only_lengths() || !strings_.automaton(joined, made.origin).empty())) return false;
  }
  if ((both & kArray) != 0) {
    const ArrayFacets &a = made.arrays, &b = other.arrays;
    bool apart = a.min_items > b.max_items || b.min_items > a.max_items;
    if (b.unevaluated != nullptr && !apart) return false;  // what is evaluated depends on all alternatives
    for (size_t i = 0; i < std::min<uint64_t>(a.min_items, 8) && !apart; ++i) {
      apart = excludes_all(item_schemas(a, i), item_schemas(b, i), nesting + 1);
    }
    if (!apart) return false;
  }
  return (both & kObject) == 0 || excludes_object(made, other, nesting);
}

bool SchemaReader::excludes_object(const Facets& made, const Facets& other, int nesting) {
  const ObjectFacets &a = made.objects, &b = other.objects;
  if (b.unevaluated != nullptr) return false;  // what is evaluated depends on all alternatives
  const std::vector<std::string> declared = declared_properties(a);
  const bool undeclared = allows_undeclared(a);
  const auto is_declared = [&](const std::string& key) {
    return std::find(declared.begin(), declared.end(), key) != declared.end();
  };
  for (const std::string& key : b.required) {
    const Conjunction schemas = property_schemas(a, key);
    if (is_forbidden(schemas) || (!is_declared(key) && !undeclared && schemas.empty())) return true;
  }
  for (const std::string& key : a.required) {  // always there in what is made
    const Conjunction theirs = property_schemas(b, key);
    if (is_forbidden(theirs)) return true;
    if (!theirs.empty() && excludes_all(property_schemas(a, key), theirs, nesting + 1)) return true;
  }
  return false;
}

}  // namespace glint::grammar
