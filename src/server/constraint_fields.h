// SPDX-License-Identifier: Apache-2.0
//
// What an answer must be, by OpenAI's and llama.cpp's names: response_format, json_schema, grammar, regex, and the tools
// with the choice among them. docs/STRUCTURED_OUTPUT.md says what schemas may hold.
// Called by the endpoints that generate. Tested by tests/unit/server/constraint_fields_test.cpp.
#pragma once

#include <memory>
#include <string>

#include "server/fields.h"
#include "server/service.h"

namespace glint::server {

struct OfferedTools {
  Json offered = nullptr;  // array in OpenAI's form; null: none
  bool must_call = false;
  std::string only;        // the one tool to be called; empty: any
  bool may_be_parallel = true;
};
/// tools, tool_choice, parallel_tool_calls. Throws ApiError naming what is malformed or cannot be.
OfferedTools read_tools(const Fields& fields);

/// Null when the answer is free. Throws ApiError when two members want to decide, and Error for what cannot be enforced.
std::shared_ptr<const Constraint> read_constraint(const Fields& fields, Service& service, const OfferedTools& tools,
                                                  ThinkingStart thinking);

}  // namespace glint::server
