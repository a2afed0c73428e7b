// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_values.h"

#include <algorithm>

namespace glint::grammar {
Builder::Expr SchemaValues::root() {
  const Expr call = value({&reader_.document().root()});
  define_rules();
  return call;
}

void SchemaValues::define_rules() {
  while (!pending_.empty()) {
    const auto [schemas, rule] = std::move(pending_.back());
    pending_.pop_back();
    std::vector<Expr> choices;
    for (const Facets& facets : reader_.alternatives(schemas)) choices.push_back(alternative(facets));
    if (choices.empty()) choices.push_back(never(schemas[0]));
    builder_.define(rule, builder_.alternatives(std::move(choices)));
  }
}

Builder::Expr SchemaValues::value(const Conjunction& unfollowed) {
  const Conjunction schemas = reader_.followed(unfollowed);
  const auto [place, added] = rules_.try_emplace(schemas, -1);
  if (added) {
    const Json* origin = schemas.empty() ? &reader_.document().root() : schemas[0];
    if (rules_.size() > options_.max_rules) {
      reader_.document().refuse(origin, fmt::format("the schema needs more than {} rules", options_.max_rules));
    }
    place->second = builder_.declare(schemas.empty() ? "any value" : "schema " + reader_.document().pointer(origin));
    pending_.push_back({schemas, place->second});
  }
  return builder_.call(place->second);
}

Builder::Expr SchemaValues::never(const Json* origin) {
  if (impossible_.empty()) impossible_ = printable(reader_.document().pointer(origin), 300);
  return builder_.never();
}

Builder::Expr SchemaValues::separator(const char* mark) {
  return builder_.sequence({builder_.bytes(mark), builder_.optional(builder_.bytes(" "))});
}

Builder::Expr SchemaValues::alternative(const Facets& facets) {
  std::vector<Expr> choices;
  if (facets.values) {
    Facets beside = facets;
    beside.values.reset();
    for (const Json* value : *facets.values) {
      if (reader_.admits(beside, *value)) choices.push_back(literal(*value));
    }
    return choices.empty() ? never(facets.origin) : builder_.alternatives(std::move(choices));
  }
  for (const Json& simple : {Json(nullptr), Json(true), Json(false)}) {
    if (reader_.admits(facets, simple)) choices.push_back(literal(simple));
  }
  StringFacets strings = facets.strings;
  for (const Json* excluded : facets.excluded) {
    unsigned type = 0;
    if (excluded->is_number()) type = kInteger | kFraction;
    if (excluded->is_array()) type = kArray;
    if (excluded->is_object()) type = kObject;
    if (excluded->is_string()) strings.excluded.push_back(excluded->get<std::string>());
    if ((facets.types & type) != 0) {
      reader_.document().unsupported(
          excluded, "\"not\" with a number, array or object is not supported; say what is allowed instead", warnings_);
    }
  }
  if ((facets.types & (kInteger | kFraction)) != 0) choices.push_back(number(facets));
  if ((facets.types & kString) != 0) choices.push_back(string(strings, facets.origin));
  if ((facets.types & kArray) != 0) choices.push_back(array(facets));
  if ((facets.types & kObject) != 0) choices.push_back(object(facets));
  return builder_.alternatives(std::move(choices));
}

Builder::Expr SchemaValues::literal(const Json& value) {
  std::vector<Expr> parts;
  if (value.is_array()) {
    parts.push_back(builder_.bytes("["));
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) parts.push_back(separator(","));
      parts.push_back(literal(value[i]));
    }
    parts.push_back(builder_.bytes("]"));
  } else if (value.is_object()) {
    parts.push_back(builder_.bytes("{"));
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      if (!first) parts.push_back(separator(","));
      first = false;
      parts.push_back(builder_.bytes(Json(key).dump()));
      parts.push_back(separator(":"));
      parts.push_back(literal(member));
    }
    parts.push_back(builder_.bytes("}"));
  } else {
    return builder_.bytes(scalar_text(value));
  }
  return builder_.sequence(std::move(parts));
}

Builder::Expr SchemaValues::number(const Facets& facets) {
  const bool integers_only = (facets.types & kFraction) == 0;
  if (!facets.numbers.unbounded()) {
    return shared((integers_only ? "integer " : "number ") + facets.numbers.key(), [&] {
      try {
        CharDfa dfa = number_automaton(facets.numbers, integers_only, SchemaStrings::kLimit);
        reader_.strings().spend(dfa, facets.origin);
        if (dfa.empty()) return never(facets.origin);
        return builder_.automaton(std::move(dfa), Encoding::kPlain);
      } catch (const Error& error) {
        if (std::string_view(error.what()).starts_with("schema ")) throw;
        reader_.document().refuse(facets.origin, error.what());
      }
    });
  }
  return shared(integers_only ? "integer" : "number", [&] {
    const Expr digit = builder_.chars({{'0', '9'}});
    const Expr integer = builder_.sequence(
        {builder_.optional(builder_.bytes("-")),
         builder_.alternatives({builder_.bytes("0"), builder_.sequence({builder_.chars({{'1', '9'}}),
                                                                        builder_.repeat(digit, 0, kMaxDigits - 1)})})});
    if (integers_only) return integer;
    const Expr fraction = builder_.sequence({builder_.bytes("."), builder_.repeat(digit, 1, kMaxDigits)});
    const Expr sign = builder_.optional(builder_.chars({{'+', '+'}, {'-', '-'}}));
    const Expr exponent =
        builder_.sequence({builder_.chars({{'E', 'E'}, {'e', 'e'}}), sign, builder_.repeat(digit, 1, 2)});
    return builder_.sequence({integer, builder_.optional(fraction), builder_.optional(exponent)});
  });
}

/// As it stands within quotes: itself, or any JSON escape; surrogates in pairs only.
Builder::Expr SchemaValues::any_character() {
  const auto hex = [&](std::vector<CharRange> first) { return builder_.chars(CharSet(std::move(first))); };
  const Expr digit = hex({{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
  const Expr d = hex({{'D', 'D'}, {'d', 'd'}});
  const Expr plain_unit = builder_.alternatives(
      {builder_.sequence({hex({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}), digit, digit, digit}),
       builder_.sequence({d, hex({{'0', '7'}}), digit, digit})});
  const Expr pair = builder_.sequence({d, hex({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}), digit, digit,
                                       builder_.bytes("\\u"), d, hex({{'C', 'F'}, {'c', 'f'}}), digit, digit});
  return builder_.alternatives(
      {builder_.chars(~CharSet{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}),
       builder_.sequence(
           {builder_.bytes("\\"),
            hex({{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}})}),
       builder_.sequence({builder_.bytes("\\u"), builder_.alternatives({plain_unit, pair})})});
}

Builder::Expr SchemaValues::string(const StringFacets& facets, const Json* origin) {
  if (facets.min_length > facets.max_length) return never(origin);
  const Expr quote = builder_.bytes("\"");
  std::string key = fmt::format("string {}..{}", facets.min_length, facets.max_length);
  if (facets.only_lengths()) {
    return shared(key, [&] {
      if (!character_) character_ = any_character();
      return builder_.sequence(
          {quote, builder_.repeat(*character_, run_time_count(facets.min_length), run_time_count(facets.max_length)),
           quote});
    });
  }
  for (const std::string& format : facets.formats) key += " " + format;
  for (const Json* pattern : facets.patterns) key += " " + pattern->dump();
  for (const std::string& excluded : facets.excluded) key += " not " + Json(excluded).dump();
  return shared(key, [&] {
    CharDfa dfa = reader_.strings().automaton(facets, origin);
    if (dfa.empty()) return never(origin);
    return builder_.sequence({quote, builder_.automaton(std::move(dfa), Encoding::kJsonString), quote});
  });
}

}  // namespace glint::grammar
