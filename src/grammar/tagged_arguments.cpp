// SPDX-License-Identifier: Apache-2.0
#include "grammar/tagged_arguments.h"

#include <algorithm>

#include "base/check.h"
#include "grammar/free_text.h"
#include "grammar/schema_values.h"

namespace glint::grammar {
namespace {

using Expr = Builder::Expr;

class TaggedWriter {
 public:
  TaggedWriter(Builder& builder, const Json& schema, const ArgumentTags& tags, const JsonSchemaOptions& options,
               std::vector<std::string>& warnings)
      : builder_(builder),
        tags_(tags),
        warnings_(warnings),
        document_(schema, options),
        reader_(document_, options, warnings),
        values_(builder, reader_, options, warnings) {}

  Expr write() {
    std::vector<Expr> choices;
    for (const Facets& facets : reader_.alternatives({&document_.root()})) {
      if ((facets.types & kObject) != 0) choices.push_back(properties(facets));
    }
    if (choices.empty()) document_.refuse(&document_.root(), "the arguments of a tool are an object, which this refuses");
    const Expr all = builder_.alternatives(std::move(choices));
    values_.define_rules();
    return all;
  }

 private:
  Expr properties(const Facets& facets) {
    const ObjectFacets& objects = facets.objects;
    if (facets.values) document_.unsupported(facets.origin, "\"enum\" and \"const\" of a tool's arguments", warnings_);
    if (objects.min_properties > objects.required.size() || objects.max_properties != kNoMaximum) {
      document_.unsupported(facets.origin, "\"minProperties\" and \"maxProperties\" of a tool's arguments", warnings_);
    }
    const auto has_patterns = [](const Json* source) { return source->contains("patternProperties"); };
    if (!objects.names.empty() || std::ranges::any_of(objects.sources, has_patterns)) {
      document_.unsupported(facets.origin, "\"propertyNames\" and \"patternProperties\" of a tool's arguments", warnings_);
    }
    const std::vector<std::string> declared = reader_.declared_properties(objects);
    if (declared.empty()) return undeclared(facets);
    std::vector<Expr> parts;
    for (const std::string& key : declared) {
      const Conjunction schemas = reader_.property_schemas(objects, key);
      const bool required = std::ranges::find(objects.required, key) != objects.required.end();
      if (SchemaReader::is_forbidden(schemas)) {
        parts.push_back(required ? builder_.never() : builder_.empty());
        continue;
      }
      const Expr pair = sequence({tag(tags_.before_key), builder_.bytes(key), tag(tags_.after_key),
                                  tag(tags_.before_value), value(schemas)});
      parts.push_back(required ? pair : builder_.optional(pair));
    }
    return sequence(std::move(parts));
  }

  /// Any keys, with values of the schema for undeclared ones.
  Expr undeclared(const Facets& facets) {
    if (!reader_.allows_undeclared(facets.objects)) return builder_.empty();
    const Conjunction schemas = reader_.property_schemas(facets.objects, "");
    // A key is a word: "<" would make tags ambiguous, blanks are not the key's.
    const Expr key = builder_.repeat(builder_.chars(~CharSet{{0, ' '}, {'<', '<'}, {'>', '>'}}), 1, kUnbounded);
    const Expr pair = sequence({tag(tags_.before_key), key, tag(tags_.after_key), tag(tags_.before_value), value(schemas)});
    return builder_.repeat(pair, 0, kUnbounded);
  }

  /// A value and the tag behind it.
  Expr value(const Conjunction& schemas) {
    const Expr close = tag(tags_.after_value);
    std::vector<Expr> choices;
    for (const Facets& facets : reader_.alternatives(schemas)) {
      if (facets.values) {
        choices.push_back(sequence({listed(facets), close}));
        continue;
      }
      if ((facets.types & kString) != 0) choices.push_back(bare_string(facets, close));
      Facets others = facets;
      others.types &= ~static_cast<unsigned>(kString);
      if (others.types != 0) choices.push_back(sequence({values_.alternative(others), close}));
    }
    return builder_.alternatives(std::move(choices));
  }

  Expr listed(const Facets& facets) {
    Facets beside = facets;
    beside.values.reset();
    std::vector<Expr> choices;
    for (const Json* one : *facets.values) {
      if (!reader_.admits(beside, *one)) continue;
      if (!one->is_string()) {
        Facets single = facets;
        single.values = {one};
        choices.push_back(values_.alternative(single));
      } else if (const auto& text = one->get_ref<const std::string&>(); text.find(tags_.after_value) == std::string::npos) {
        choices.push_back(builder_.bytes(text));
      }
    }
    return builder_.alternatives(std::move(choices));
  }

  Expr bare_string(const Facets& facets, Expr close) {
    StringFacets strings = facets.strings;
    for (const Json* excluded : facets.excluded) {
      if (excluded->is_string()) strings.excluded.push_back(excluded->get<std::string>());
    }
    const std::string word = tags_.after_value;
    if (strings.only_lengths() && strings.min_length == 0 && strings.max_length == kNoMaximum) {
      return sequence({builder_.automaton(text_up_to(word), Encoding::kPlain), break_after()});
    }
    if (strings.only_lengths()) {
      const Expr character = builder_.chars(~CharSet::one('<'));
      return sequence({builder_.repeat(character, run_time_count(strings.min_length), run_time_count(strings.max_length)), close});
    }
    CharDfa dfa = intersection(reader_.strings().automaton(strings, facets.origin), text_without(std::span(&word, 1)),
                               SchemaStrings::kLimit);
    reader_.strings().spend(dfa, facets.origin);
    if (dfa.empty()) return builder_.never();
    return sequence({builder_.automaton(std::move(dfa), Encoding::kPlain), close});
  }

  Expr break_after() { return tags_.loose ? builder_.optional(builder_.bytes("\n")) : builder_.empty(); }
  Expr tag(const std::string& text) {
    // Where a value begins a line break would be the value's.
    const bool opens = &text == &tags_.before_key || &text == &tags_.before_value ||
                       (&text == &tags_.after_key && tags_.before_value.empty());
    return opens ? builder_.bytes(text) : sequence({builder_.bytes(text), break_after()});
  }
  Expr sequence(std::vector<Expr> parts) { return builder_.sequence(std::move(parts)); }

  Builder& builder_;
  const ArgumentTags tags_;
  std::vector<std::string>& warnings_;
  SchemaDocument document_;
  SchemaReader reader_;
  SchemaValues values_;
};

}  // namespace

Builder::Expr add_tagged_arguments(Builder& builder, const nlohmann::ordered_json& schema, const ArgumentTags& tags,
                                   const JsonSchemaOptions& options, std::vector<std::string>& warnings) {
  return TaggedWriter(builder, schema, tags, options, warnings).write();
}

}  // namespace glint::grammar
