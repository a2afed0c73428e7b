// SPDX-License-Identifier: Apache-2.0
//
// The properties of an object one by one between tags, strings bare: how GLM and Qwen3-Coder write the arguments of a
// tool call. Everything but strings is written as in json_schema.h.
// Called by engine/tool_grammar. Knows nothing of calls. Tested by tests/unit/grammar/tagged_arguments_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "grammar/json_schema.h"

namespace glint::grammar {

/// Around a key and around its value. A line break may follow a tag where `loose` says so.
struct ArgumentTags {
  std::string before_key, after_key, before_value, after_value;
  bool loose = false;
};

/// Adds all ways to write an object of `schema`: declared properties in their order, optional ones or not; others only
/// where none is declared. A bare string never holds `after_value`, and one of bounded length no "<" at all. Throws
/// Error as add_json_schema does, also when the schema takes no object.
Builder::Expr add_tagged_arguments(Builder& builder, const nlohmann::ordered_json& schema, const ArgumentTags& tags,
                                   const JsonSchemaOptions& options, std::vector<std::string>& warnings);

}  // namespace glint::grammar
