// SPDX-License-Identifier: Apache-2.0
#include "grammar/json_schema.h"

#include "base/check.h"
#include "base/printable.h"
#include "grammar/schema_values.h"

namespace glint::grammar {

Builder::Expr add_json_schema(Builder& builder, const nlohmann::ordered_json& schema, const JsonSchemaOptions& options,
                              std::vector<std::string>& warnings) {
  SchemaDocument document(schema, options);
  SchemaReader reader(document, options, warnings);
  return SchemaValues(builder, reader, options, warnings).root();
}

CompiledSchema compile_json_schema(const nlohmann::ordered_json& schema, const JsonSchemaOptions& options,
                                   const GrammarLimits& limits) {
  CompiledSchema compiled;
  Builder builder(limits);
  const Builder::Expr body = add_json_schema(builder, schema, options, compiled.warnings);
  const int32_t root = builder.declare("schema #");
  builder.define(root, body);
  compiled.grammar = builder.finish(root);
  return compiled;
}

CompiledSchema compile_json_schema(std::string_view text, const JsonSchemaOptions& options, const GrammarLimits& limits) {
  const auto check_nesting = [&](int nesting, Json::parse_event_t, Json&) {
    if (nesting > static_cast<int>(options.max_nesting)) fail("schema: nested more than {} deep", options.max_nesting);
    return true;
  };
  Json schema;
  try {
    schema = Json::parse(text, check_nesting);
  } catch (const Json::exception& error) {
    fail("schema: not JSON: {}", printable(error.what(), 200));
  }
  return compile_json_schema(schema, options, limits);
}

}  // namespace glint::grammar
