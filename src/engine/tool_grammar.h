// SPDX-License-Identifier: Apache-2.0
//
// Calls of a request's tools, in the syntax that the model writes and ReplyParser reads, as a grammar: names that there
// are, arguments by each tool's schema.
// Called by engine/constraint. Tested by tests/unit/engine/constraint_test.cpp.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/constraint.h"
#include "grammar/builder.h"

namespace glint {

/// Throws Error for a model without calls, for tools that are malformed, and for a spec.tool that is not among them.
grammar::Builder::Expr add_tool_calls(grammar::Builder& builder, const ReplyFormat& format,
                                      const nlohmann::ordered_json& tools, const ConstraintSpec& spec,
                                      std::vector<std::string>& warnings);

/// What calls begin with: words that thinking before them must not hold.
std::vector<std::string> call_openers(const ReplyFormat& format);
/// Whether add_tool_calls has said what may stand before the calls, thinking included.
bool thinks_by_itself(const ReplyFormat& format, const ConstraintSpec& spec);

}  // namespace glint
