// SPDX-License-Identifier: Apache-2.0
#include "grammar/json_schema.h"

#include "base/check.h"
#include "base/printable.h"
#include "grammar/schema_values.h"

namespace glint::grammar {
namespace {

/// `impossible` becomes the first place for which no value was found, if there was one.
Builder::Expr add_values(Builder& builder, const Json& schema, const JsonSchemaOptions& options,
                         std::vector<std::string>& warnings, std::string& impossible) {
  SchemaDocument document(schema, options);
  SchemaReader reader(document, options, warnings);
  SchemaValues values(builder, reader, options, warnings);
  const Builder::Expr root = values.root();
  impossible = values.impossible();
  return root;
}

}  // namespace

Builder::Expr add_json_schema(Builder& builder, const nlohmann::ordered_json& schema, const JsonSchemaOptions& options,
                              std::vector<std::string>& warnings) {
  std::string impossible;
  return add_values(builder, schema, options, warnings, impossible);
}

CompiledSchema compile_json_schema(const nlohmann::ordered_json& schema, const JsonSchemaOptions& options,
                                   const GrammarLimits& limits) {
  CompiledSchema compiled;
  Builder builder(limits);
  std::string impossible;
  const Builder::Expr body = add_values(builder, schema, options, compiled.warnings, impossible);
  const int32_t root = builder.declare("schema #");
  builder.define(root, body);
  try {
    compiled.grammar = builder.finish(root);
  } catch (const ImpossibleGrammar&) {
    fail("schema {}: no value satisfies this, nor the schema as a whole", impossible.empty() ? "#" : impossible);
  }
  return compiled;
}

CompiledSchema compile_json_schema_text(std::string_view text, const JsonSchemaOptions& options,
                                        const GrammarLimits& limits) {
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
