// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_facets.h"

#include <algorithm>

namespace glint::grammar {
namespace {

constexpr size_t kMaxWork = 20'000'000;  // comparisons of values or names: a second or so

void check_bounds(const SchemaDocument& document, const Json* schema, const char* low, const char* high) {
  const auto a = schema->find(low), b = schema->find(high);
  if (a == schema->end() || b == schema->end() || !a->is_number() || !b->is_number()) return;
  if (Decimal::of(*a) > Decimal::of(*b)) {
    document.refuse(&*a, fmt::format("{} {} is above {} {}", low, a->dump(), high, b->dump()));
  }
}

}  // namespace

Conjunction SchemaReader::followed(Conjunction schemas) const {
  for (const Json*& schema : schemas) {
    for (size_t n = 0; n < options_.max_nesting && schema->is_object() && schema->size() == 1; ++n) {
      const auto reference = schema->find("$ref");
      if (reference == schema->end() || !reference->is_string()) break;
      schema = document_.resolve(schema, reference->get_ref<const std::string&>());
    }
  }
  return schemas;
}

const std::vector<Facets>* SchemaReader::try_alternatives(const Conjunction& unfollowed) {
  const Conjunction schemas = followed(unfollowed);
  const auto known = alternatives_.find(schemas);
  if (known != alternatives_.end()) return known->second.get();
  constexpr size_t kMaxReadings = 8;
  return n_readings_ < kMaxReadings ? &alternatives(schemas) : nullptr;
}

const std::vector<Facets>& SchemaReader::alternatives(const Conjunction& unfollowed) {
  const Conjunction schemas = followed(unfollowed);
  auto& known = alternatives_[schemas];
  if (known) return *known;
  ++n_readings_;
  Reading reading;
  reading.alone = schemas.size() == 1;
  reading.facets.origin = schemas.empty() ? &document_.root() : schemas[0];
  const std::vector<const Json*> outer = std::move(path_);
  path_.clear();
  for (const Json* schema : schemas) absorb(schema, reading);
  auto made = std::make_unique<std::vector<Facets>>();
  expand(reading, *made);
  path_ = outer;
  --n_readings_;
  known = std::move(made);
  return *known;
}

void SchemaReader::spend(size_t steps, const Json* origin) {
  work_ += steps;
  if (work_ > kMaxWork) document_.refuse(origin, "the schema's combinations are too many to work out");
}

void SchemaReader::absorb(const Json* schema, Reading& reading) {
  spend(10, schema);
  if (std::find(path_.begin(), path_.end(), schema) != path_.end()) {
    document_.refuse(schema, "the schema applies itself to the same value again, without end");
  }
  if (path_.size() >= options_.max_nesting) {
    document_.refuse(schema, fmt::format("more than {} schemas nested at one value", options_.max_nesting));
  }
  if (!reading.seen.insert(schema).second || reading.never) return;
  if (schema->is_boolean()) {
    reading.never |= !schema->get<bool>();
    return;
  }
  if (!schema->is_object()) document_.refuse(schema, "expected a schema: an object, true or false");
  for (const auto& [low, high] : {std::pair{"minLength", "maxLength"},
                                  {"minItems", "maxItems"},
                                  {"minProperties", "maxProperties"},
                                  {"minimum", "maximum"}}) {
    check_bounds(document_, schema, low, high);
  }
  path_.push_back(schema);
  for (const auto& [keyword, value] : schema->items()) {
    const auto handler = handlers().find(keyword);
    if (handler != handlers().end()) {
      (this->*handler->second)(value, schema, reading);
    } else if (!keyword.starts_with("x-")) {
      unknown_keyword(keyword, value);
    }
  }
  path_.pop_back();
}

Facets SchemaReader::finished(const Reading& reading) {
  Facets facets = reading.facets;
  if (facets.objects.all_evaluated) facets.objects.unevaluated = nullptr;
  if (facets.arrays.all_evaluated) facets.arrays.unevaluated = nullptr;
  for (const Json* unevaluated : {facets.objects.unevaluated, facets.arrays.unevaluated}) {
    if (unevaluated != nullptr && reading.idle_if) {
      document_.unsupported(unevaluated, "not supported beside an \"if\" without \"then\" and \"else\"", warnings_);
    }
  }
  return facets;
}

void SchemaReader::expand(const Reading& reading, std::vector<Facets>& out) {
  if (reading.never || reading.facets.types == 0) return;
  if (reading.pending.empty()) {
    if (out.size() >= options_.max_alternatives) {
      document_.refuse(
          reading.facets.origin,
          fmt::format("anyOf, oneOf and dependencies make more than {} combinations", options_.max_alternatives));
    }
    out.push_back(finished(reading));
    return;
  }
  const Disjunction& disjunction = reading.pending.front();
  std::vector<std::vector<Facets>> branches;
  for (const Conjunction& branch : disjunction.branches) {
    Reading with = reading;
    with.pending.erase(with.pending.begin());
    path_ = disjunction.path;
    for (const Json* schema : branch) absorb(schema, with);
    branches.emplace_back();
    expand(with, branches.back());
    if (out.size() + branches.back().size() > options_.max_alternatives) {
      document_.refuse(disjunction.keyword, fmt::format("more than {} combinations", options_.max_alternatives));
    }
    if (!disjunction.exclusive) {
      std::move(branches.back().begin(), branches.back().end(), std::back_inserter(out));
      branches.pop_back();
    }
  }
  if (!disjunction.exclusive) return;
  require_disjoint(disjunction, branches);
  for (std::vector<Facets>& branch : branches) std::move(branch.begin(), branch.end(), std::back_inserter(out));
}

void SchemaReader::require_disjoint(const Disjunction& disjunction, const std::vector<std::vector<Facets>>& branches) {
  for (size_t i = 0; i < branches.size(); ++i) {
    for (size_t j = 0; j < branches.size(); ++j) {
      if (i == j) continue;
      for (const Facets& a : branches[i]) {
        for (const Facets& b : branches[j]) {
          spend(10, disjunction.keyword);
          if (excludes(a, b)) continue;
          document_.unsupported(
              disjunction.keyword,
              fmt::format(
                  "oneOf is supported where its branches provably exclude each other, and branches {} and {} may "
                  "both hold; use anyOf, or tell them apart by a required property with different const values",
                  std::min(i, j), std::max(i, j)),
              warnings_);
          return;
        }
      }
    }
  }
}

Conjunction SchemaReader::item_schemas(const ArrayFacets& facets, size_t index) const {
  Conjunction schemas;
  bool evaluated = false;
  for (const Json* source : facets.sources) {
    const auto prefix = source->find("prefixItems");
    const auto items = source->find("items");
    const bool in_prefix = prefix != source->end() && index < prefix->size();
    if (!in_prefix && items == source->end()) continue;
    schemas.push_back(in_prefix ? &(*prefix)[index] : &*items);
    evaluated = true;
  }
  if (!evaluated && facets.unevaluated != nullptr) schemas.push_back(facets.unevaluated);
  return schemas;
}

Conjunction SchemaReader::property_schemas(const ObjectFacets& facets, const std::string& key) {
  Conjunction schemas;
  bool any_evaluated = false;
  for (const Json* source : facets.sources) {
    bool evaluated = false;
    if (const auto properties = source->find("properties"); properties != source->end()) {
      spend(1 + properties->size() / 8, source);  // a linear search
      const auto property = properties->find(key);
      if (property != properties->end()) schemas.push_back(&*property), evaluated = true;
    }
    if (const auto patterns = source->find("patternProperties"); patterns != source->end()) {
      for (const auto& [pattern, schema] : patterns->items()) {
        const CharDfa* matching = strings_.pattern(pattern, &schema);
        if (matching != nullptr && matching->accepts(key)) schemas.push_back(&schema), evaluated = true;
      }
    }
    const auto additional = source->find("additionalProperties");
    if (!evaluated && additional != source->end()) schemas.push_back(&*additional), evaluated = true;
    any_evaluated |= evaluated && evaluates(source);
  }
  if (!any_evaluated && facets.unevaluated != nullptr) schemas.push_back(facets.unevaluated);
  return schemas;
}

bool SchemaReader::is_forbidden(const Conjunction& schemas) {
  return std::any_of(schemas.begin(), schemas.end(), [](const Json* s) { return s->is_boolean() && !s->get<bool>(); });
}

std::vector<std::string> SchemaReader::declared_properties(const ObjectFacets& facets) const {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  const auto add = [&](const std::string& key) {
    if (seen.insert(key).second) keys.push_back(key);
  };
  for (const Json* source : facets.sources) {
    const auto properties = source->find("properties");
    if (properties == source->end()) continue;
    for (const auto& [key, schema] : properties->items()) add(key);
  }
  for (const std::string& key : facets.required) add(key);
  return keys;
}

bool SchemaReader::allows_undeclared(const ObjectFacets& facets) const {
  if (options_.open || facets.unevaluated != nullptr) return true;
  bool declares = false;
  for (const Json* source : facets.sources) {
    if (source->contains("additionalProperties")) return true;  // if it is false, nothing satisfies it anyway
    declares |= source->contains("patternProperties");
    const auto properties = source->find("properties");
    declares |= properties != source->end() && !properties->empty();
  }
  return !declares || facets.min_properties > declared_properties(facets).size();
}

}  // namespace glint::grammar
