// SPDX-License-Identifier: Apache-2.0
//
// Arrays and objects of schema_values.h. An object is a network of states "how far in the declared order, is a comma
// due, how many properties so far", linear in the number of properties however many are optional.
#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "grammar/schema_values.h"

namespace glint::grammar {
namespace {

constexpr size_t kMaxPatterns = 6;          // of one object: every subset of them is a kind of key
constexpr size_t kMaxUnique = 10;           // choices of an array without repeats: every subset is a state
constexpr size_t kMaxObjectStates = 50000;  // properties times counts

uint64_t less(uint64_t count, uint64_t taken) {
  return count == kNoMaximum ? kNoMaximum : count - std::min(count, taken);
}

}  // namespace

Builder::Expr SchemaValues::array(const Facets& facets) {
  ArrayFacets arrays = facets.arrays;
  size_t n_prefix = 0;
  bool has_items = options_.open || arrays.unevaluated != nullptr;
  for (const Json* source : arrays.sources) {
    if (source->contains("prefixItems")) n_prefix = std::max(n_prefix, (*source)["prefixItems"].size());
    has_items |= source->contains("items");
  }
  if (n_prefix > 0 && !has_items && arrays.min_items <= n_prefix)
    arrays.max_items = std::min<uint64_t>(arrays.max_items, n_prefix);
  if (arrays.min_items > arrays.max_items) return never(facets.origin);
  if (arrays.unique != nullptr && arrays.max_items > 1) {
    const bool plain = n_prefix == 0 && arrays.contains.empty();
    if (const auto unique = plain ? unique_array(arrays) : std::nullopt) return *unique;
    reader_.document().unsupported(
        arrays.unique,
        fmt::format("\"uniqueItems\" is supported where items are an enum of at most {} values; "
                    "an object with a boolean for each choice says the same",
                    kMaxUnique),
        warnings_);
  }
  if (!arrays.contains.empty() && arrays.unevaluated != nullptr) {
    reader_.document().unsupported(arrays.unevaluated, "\"unevaluatedItems\" beside \"contains\" is not supported",
                                   warnings_);
  }
  if (!arrays.contains.empty()) {
    const bool plain =
        arrays.contains.size() == 1 && n_prefix == 0 && arrays.min_items <= 1 && arrays.max_items == kNoMaximum;
    if (plain) return array_with(facets, arrays.contains[0]);
    reader_.document().unsupported(arrays.contains[0],
                                   "\"contains\" beside prefixItems, minItems, maxItems or another contains is "
                                   "not supported",
                                   warnings_);
  }
  const Expr comma = separator(",");
  Network network;
  int32_t at = 0;
  const auto end_if = [&](size_t n_items) {
    if (n_items >= arrays.min_items) network.finals.push_back(at);
  };
  size_t n = 0;
  for (; n < n_prefix && n < arrays.max_items; ++n) {
    end_if(n);
    const Expr item = value(reader_.item_schemas(arrays, n));
    const int32_t next = network.add_state();
    network.edges.push_back({at, next, n == 0 ? item : builder_.sequence({comma, item})});
    at = next;
  }
  end_if(n);
  if (n < arrays.max_items) {
    const Expr item = value(reader_.item_schemas(arrays, n));
    uint64_t least = less(arrays.min_items, n), most = less(arrays.max_items, n);
    if (n == 0) {
      const int32_t next = network.add_state();
      network.edges.push_back({at, next, item});
      at = next;
      least = less(least, 1), most = less(most, 1);
    }
    const int32_t end = network.add_state();
    network.edges.push_back(
        {at, end, builder_.repeat(builder_.sequence({comma, item}), run_time_count(least), run_time_count(most))});
    network.finals.push_back(end);
  }
  return builder_.sequence({builder_.bytes("["), builder_.network(std::move(network)), builder_.bytes("]")});
}

/// Items of a short list of values, none twice: a state for each set of values used. Null if the list is not short.
std::optional<Builder::Expr> SchemaValues::unique_array(const ArrayFacets& arrays) {
  std::vector<const Json*> values;
  static const Json simple[] = {nullptr, false, true};
  for (const Facets& facets : reader_.alternatives(reader_.item_schemas(arrays, 0))) {
    if (!facets.values && (facets.types & ~unsigned{kNull | kBoolean}) != 0) return std::nullopt;
    std::vector<const Json*> candidates = {&simple[0], &simple[1], &simple[2]};
    if (facets.values) candidates = *facets.values;
    for (const Json* value : candidates) {
      const bool known =
          std::any_of(values.begin(), values.end(), [&](const Json* v) { return equal_json(*v, *value); });
      if (!known && reader_.admits(facets, *value)) values.push_back(value);
    }
    if (values.size() > kMaxUnique) return std::nullopt;
  }
  const uint32_t n_sets = 1u << values.size();
  Network network;
  network.n_states = static_cast<int32_t>(n_sets);
  std::vector<Expr> first, later;
  const Expr comma = separator(",");
  for (const Json* value : values) {
    first.push_back(literal(*value));
    later.push_back(builder_.sequence({comma, first.back()}));
  }
  for (uint32_t used = 0; used < n_sets; ++used) {
    const auto count = static_cast<uint64_t>(std::popcount(used));
    const auto from = static_cast<int32_t>(used);
    if (count >= arrays.min_items && count <= arrays.max_items) network.finals.push_back(from);
    for (size_t i = 0; i < values.size() && count < arrays.max_items; ++i) {
      const uint32_t with = used | 1u << i;
      if (with != used) network.edges.push_back({from, static_cast<int32_t>(with), used == 0 ? first[i] : later[i]});
    }
  }
  return builder_.sequence({builder_.bytes("["), builder_.network(std::move(network)), builder_.bytes("]")});
}

/// Items, one that satisfies `contained` too, and items.
Builder::Expr SchemaValues::array_with(const Facets& facets, const Json* contained) {
  const Expr comma = separator(",");
  Conjunction items = reader_.item_schemas(facets.arrays, 0);
  const Expr item = value(items);
  items.push_back(contained);
  const Expr wanted = value(items);
  const Expr before = builder_.repeat(builder_.sequence({item, comma}), 0, kUnbounded);
  const Expr after = builder_.repeat(builder_.sequence({comma, item}), 0, kUnbounded);
  return builder_.sequence({builder_.bytes("["), before, wanted, after, builder_.bytes("]")});
}

Builder::Expr SchemaValues::object(const Facets& facets) {
  std::vector<std::string> taken;
  const std::vector<Property> properties = properties_of(facets, taken);
  const bool has_undeclared = !facets.objects.sources.empty() || reader_.allows_undeclared(facets.objects);
  const Expr undeclared = has_undeclared ? undeclared_property(facets, taken) : builder_.never();
  return builder_.sequence(
      {builder_.bytes("{"), members(facets, properties, undeclared, has_undeclared), builder_.bytes("}")});
}

std::vector<SchemaValues::Property> SchemaValues::properties_of(const Facets& facets, std::vector<std::string>& taken) {
  const ObjectFacets& objects = facets.objects;
  const Conjunction names(objects.names);
  const std::set<std::string> required(objects.required.begin(), objects.required.end());
  std::vector<Property> properties;
  taken = reader_.declared_properties(objects);
  for (const std::string& key : taken) {
    const Conjunction schemas = reader_.property_schemas(objects, key);
    const bool possible = !SchemaReader::is_forbidden(schemas) && (names.empty() || reader_.admits(names, Json(key)));
    const Expr item = possible ? builder_.sequence({builder_.bytes(Json(key).dump()), separator(":"), value(schemas)})
                               : builder_.never();
    if (possible || required.contains(key)) properties.push_back({item, required.contains(key)});
  }
  return properties;
}

CharDfa SchemaValues::names_automaton(const Facets& facets) {
  const ObjectFacets& objects = facets.objects;
  if (objects.names.empty()) return any_string();
  CharDfa others = any_string();  // names that no alternative allows
  for (const Facets& names : reader_.alternatives(Conjunction(objects.names))) {
    CharDfa allowed;
    if ((names.types & kString) != 0 && names.values) {
      std::vector<std::string> texts;
      for (const Json* one : *names.values) {
        if (one->is_string() && reader_.admits(names, *one)) texts.push_back(one->get<std::string>());
      }
      if (!texts.empty()) allowed = one_of(texts);
    } else if ((names.types & kString) != 0) {
      StringFacets strings = names.strings;
      for (const Json* excluded : names.excluded) {
        if (excluded->is_string()) strings.excluded.push_back(excluded->get<std::string>());
      }
      allowed = reader_.strings().automaton(strings, names.origin);
    }
    others = intersection(others, complement(allowed), SchemaStrings::kLimit);
  }
  return complement(others);
}

/// One property whose key no schema declares: by each set of patterns that a key can match, its values.
Builder::Expr SchemaValues::undeclared_property(const Facets& facets, const std::vector<std::string>& taken) {
  const ObjectFacets& objects = facets.objects;
  std::map<std::string, const Json*> patterns;
  for (const Json* source : objects.sources) {
    const auto found = source->find("patternProperties");
    if (found == source->end()) continue;
    for (const auto& [pattern, schema] : found->items()) patterns.emplace(pattern, &schema);
  }
  if (patterns.size() > kMaxPatterns) {
    reader_.document().refuse(facets.origin, fmt::format("more than {} patternProperties in one object", kMaxPatterns));
  }
  const bool others_allowed = reader_.allows_undeclared(objects);
  CharDfa all = names_automaton(facets);
  if (!taken.empty()) all = intersection(all, complement(one_of(taken)), SchemaStrings::kLimit);
  std::vector<Expr> choices;
  for (uint32_t subset = 0; subset < 1u << patterns.size(); ++subset) {
    if (subset == 0 && !others_allowed) continue;
    CharDfa keys = all;
    std::set<std::string> matched;
    uint32_t bit = 1;
    for (const auto& [pattern, schema] : patterns) {
      const CharDfa* matching = reader_.strings().pattern(pattern, schema);
      const bool in = (subset & bit) != 0;
      bit <<= 1;
      if (in) matched.insert(pattern);
      const CharDfa wanted = matching == nullptr ? CharDfa{} : *matching;
      keys = intersection(keys, in ? wanted : complement(wanted), SchemaStrings::kLimit);
    }
    if (keys.empty()) continue;
    Conjunction schemas;
    bool any_evaluated = false;
    for (const Json* source : objects.sources) {
      bool evaluated = false;
      if (const auto found = source->find("patternProperties"); found != source->end()) {
        for (const auto& [pattern, schema] : found->items()) {
          if (matched.contains(pattern)) schemas.push_back(&schema), evaluated = true;
        }
      }
      const auto additional = source->find("additionalProperties");
      if (!evaluated && additional != source->end()) schemas.push_back(&*additional), evaluated = true;
      any_evaluated |= evaluated && reader_.evaluates(source);
    }
    if (!any_evaluated && objects.unevaluated != nullptr) schemas.push_back(objects.unevaluated);
    if (SchemaReader::is_forbidden(schemas)) continue;
    const bool any_key = taken.empty() && patterns.empty() && objects.names.empty();
    const Expr quote = builder_.bytes("\"");
    reader_.strings().spend(keys, facets.origin);
    const Expr key =
        any_key ? string({}, facets.origin)
                : builder_.sequence({quote, builder_.automaton(std::move(keys), Encoding::kJsonString), quote});
    choices.push_back(builder_.sequence({key, separator(":"), value(schemas)}));
  }
  return builder_.alternatives(std::move(choices));
}

Builder::Expr SchemaValues::members(const Facets& facets, const std::vector<Property>& properties, Expr undeclared,
                                    bool has_undeclared) {
  const ObjectFacets& objects = facets.objects;
  uint64_t least = objects.min_properties;
  const uint64_t most = objects.max_properties;
  const uint64_t n_required = static_cast<uint64_t>(
      std::count_if(properties.begin(), properties.end(), [](const Property& p) { return p.required; }));
  if (least <= n_required) least = 0;
  if (least > most || n_required > most) return never(facets.origin);
  // Undeclared keys may repeat, and a repeated one counts once: only the first is sure to be new.
  const bool unsure = least > properties.size() + 1 && has_undeclared;
  if (unsure) {
    reader_.document().unsupported(facets.origin,
                                   "\"minProperties\" above the number of declared properties plus one is not "
                                   "supported; declare the properties",
                                   warnings_);
  }
  const bool counts = least > 0 || most < properties.size() || (most != kNoMaximum && has_undeclared);
  const uint64_t cap =
      !counts ? 0 : std::min<uint64_t>(most == kNoMaximum ? least : std::max(most, least), properties.size());
  if ((properties.size() + 1) * (cap + 1) > kMaxObjectStates) {
    reader_.document().refuse(facets.origin, "minProperties or maxProperties with too many properties");
  }
  const Expr comma = separator(",");
  Network network;
  std::map<std::tuple<size_t, bool, uint64_t>, int32_t> numbers = {{{0, false, 0}, 0}};
  const auto state = [&](size_t i, bool comma_due, uint64_t count) {
    const auto [place, added] = numbers.try_emplace({i, comma_due, std::min(count, cap)}, -1);
    if (added) place->second = network.add_state();
    return place->second;
  };
  const int32_t end = network.add_state();
  network.finals.push_back(end);
  const Expr more = builder_.sequence({comma, undeclared});
  for (size_t i = 0; i <= properties.size(); ++i) {
    for (const bool comma_due : {false, true}) {
      for (uint64_t count = 0; count <= cap; ++count) {
        const auto known = numbers.find({i, comma_due, count});
        if (known == numbers.end()) continue;
        const int32_t from = known->second;
        if (i < properties.size()) {
          const Property& property = properties[i];
          const Expr item = comma_due ? builder_.sequence({comma, property.item}) : property.item;
          if (!counts || count < most) network.edges.push_back({from, state(i + 1, true, count + 1), item});
          if (!property.required) network.edges.push_back({from, state(i + 1, comma_due, count), builder_.empty()});
          continue;
        }
        const uint64_t need = less(least, count), room = less(most, counts ? count : 0);
        if (need == 0) network.edges.push_back({from, end, builder_.empty()});
        if (room == 0 || !has_undeclared || (need > 1 && !unsure)) continue;
        const Expr rest = comma_due
                              ? builder_.repeat(more, run_time_count(need), run_time_count(room))
                              : builder_.sequence({undeclared, builder_.repeat(more, run_time_count(less(need, 1)),
                                                                               run_time_count(less(room, 1)))});
        network.edges.push_back({from, end, rest});
      }
    }
  }
  return builder_.network(std::move(network));
}

}  // namespace glint::grammar
