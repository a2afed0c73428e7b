// SPDX-License-Identifier: Apache-2.0
#include "engine/tool_grammar.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/printable.h"
#include "grammar/free_text.h"
#include "grammar/json_schema.h"
#include "grammar/tagged_arguments.h"
#include "text/tool_schemas.h"

namespace glint {
namespace {

using grammar::Builder;
using Expr = Builder::Expr;
using Json = nlohmann::ordered_json;
using Calls = ConstraintSpec::Calls;

constexpr std::string_view kAnalysis = "<|channel|>analysis<|message|>";

struct Tool {
  std::string name;
  Json parameters;
  bool strict = false;
};

/// The parameters as a schema of objects.
Json object_schema(const Json& described) {
  for (const char* key : {"parameters", "input_schema"}) {
    if (!described.contains(key) || !described[key].is_object()) continue;
    Json schema = described[key];
    if (!schema.contains("type") && !schema.contains("$ref")) schema["type"] = "object";
    // A tool that lists no parameters takes none, unless it says otherwise.
    const bool lists_none = schema.contains("properties") && schema["properties"].empty();
    if (lists_none && !schema.contains("additionalProperties")) schema["additionalProperties"] = false;
    return schema;
  }
  return {{"type", "object"}, {"additionalProperties", false}};
}

std::vector<Tool> read_tools(const Json& tools, const std::string& only) {
  if (!tools.is_array()) fail("tools must be a list");
  std::vector<Tool> read;
  for (size_t i = 0; i < tools.size(); ++i) {
    const Json& tool = tools[i];
    const bool wrapped = tool.is_object() && tool.contains("function") && tool["function"].is_object();
    const Json& described = wrapped ? tool["function"] : tool;
    if (!described.is_object() || !described.contains("name") || !described["name"].is_string()) {
      fail("tools[{}] has no name", i);
    }
    const std::string name = described["name"];
    if (!is_tool_name(name)) fail("tools[{}]: \"{}\" is no name for a tool", i, printable(name));
    if (!only.empty() && name != only) continue;
    read.push_back({name, object_schema(described), described.contains("strict") && described["strict"] == true});
  }
  if (read.empty())
    fail("{}", only.empty() ? "there are no tools to call" : "there is no tool \"" + printable(only) + "\"");
  return read;
}

class CallWriter {
 public:
  CallWriter(Builder& builder, const ReplyFormat& format, std::vector<std::string>& warnings)
      : builder_(builder), format_(format), warnings_(warnings) {}

  /// One call of one of the tools, without what stands around a list of calls.
  Expr any_of(const std::vector<Tool>& tools) {
    std::vector<Expr> choices;
    for (const Tool& tool : tools) {
      try {
        choices.push_back(call(tool));
      } catch (const Error& error) {
        fail("tool \"{}\": {}", tool.name, error.what());
      }
    }
    return builder_.alternatives(std::move(choices));
  }

  /// `one` as often as `calls` says.
  Expr list(Expr one, bool several) {
    const uint32_t more = several ? grammar::kUnbounded : 0;
    switch (format_.calls) {
      case CallSyntax::kMistral:
        if (!format_.older_calls) return builder_.repeat(one, 1, several ? grammar::kUnbounded : 1);
        return sequence({text("[TOOL_CALLS]["), one, builder_.repeat(sequence({text(", "), one}), 0, more), text("]")});
      case CallSyntax::kDeepSeek:
        return sequence({text("<｜tool▁calls▁begin｜>"), one, builder_.repeat(sequence({newline(), one}), 0, more),
                         text("<｜tool▁calls▁end｜>")});
      case CallSyntax::kLlama:
      case CallSyntax::kHarmony:
        return one;  // trained to make one at a time
      default:
        return sequence({one, builder_.repeat(sequence({newline(), one}), 0, more)});
    }
  }

 private:
  Expr call(const Tool& tool) {
    const std::string quoted = Json(tool.name).dump();
    switch (format_.calls) {
      case CallSyntax::kGlm:
        return sequence({text("<tool_call>" + tool.name), newline(),
                         tagged(tool, {"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", true}),
                         text("</tool_call>")});
      case CallSyntax::kFunction:
        return sequence({text("<tool_call>\n<function=" + tool.name + ">\n"),
                         tagged(tool, {"<parameter=", ">\n", "", "\n</parameter>", true}),
                         text("</function>\n</tool_call>")});
      case CallSyntax::kHermes:
        return sequence({text("<tool_call>"), newline(), text("{\"name\": " + quoted + ", \"arguments\": "), json(tool),
                         text("}"), newline(), text("</tool_call>")});
      case CallSyntax::kLlama:
        return sequence({text("{\"name\": " + quoted + ", \"parameters\": "), json(tool), text("}")});
      case CallSyntax::kMistral:
        if (!format_.older_calls) return sequence({text("[TOOL_CALLS]" + tool.name + "[ARGS]"), json(tool)});
        return sequence({text("{\"name\": " + quoted + ", \"arguments\": "), json(tool), text("}")});
      case CallSyntax::kDeepSeek:
        if (!format_.older_calls) {
          return sequence(
              {text("<｜tool▁call▁begin｜>" + tool.name + "<｜tool▁sep｜>"), json(tool), text("<｜tool▁call▁end｜>")});
        }
        return sequence({text("<｜tool▁call▁begin｜>function<｜tool▁sep｜>" + tool.name + "\n```json\n"), json(tool),
                         text("\n```<｜tool▁call▁end｜>")});
      case CallSyntax::kHarmony:
        return sequence(
            {text("<|channel|>commentary to=functions." + tool.name + " <|constrain|>json<|message|>"), json(tool)});
      case CallSyntax::kNone:
        break;
    }
    fail("this model's chat template knows no tool calls, so none can be asked for");
  }

  grammar::JsonSchemaOptions options_of(const Tool& tool) const {
    grammar::JsonSchemaOptions options;
    options.strict = tool.strict;
    return options;
  }
  Expr json(const Tool& tool) {
    return grammar::add_json_schema(builder_, tool.parameters, options_of(tool), warnings_);
  }
  Expr tagged(const Tool& tool, const grammar::ArgumentTags& tags) {
    return grammar::add_tagged_arguments(builder_, tool.parameters, tags, options_of(tool), warnings_);
  }
  Expr text(std::string_view bytes) { return builder_.bytes(bytes); }
  Expr newline() { return builder_.optional(builder_.bytes("\n")); }
  Expr sequence(std::vector<Expr> parts) { return builder_.sequence(std::move(parts)); }

  Builder& builder_;
  const ReplyFormat& format_;
  std::vector<std::string>& warnings_;
};

/// Any text; where a call begins, a whole one follows.
Expr freely(Builder& builder, const ReplyFormat& format, Expr call) {
  const std::vector<std::string> openers = call_openers(format);
  const bool is_marked = format.calls == CallSyntax::kGlm || format.calls == CallSyntax::kFunction ||
                         format.calls == CallSyntax::kHermes ||
                         (format.calls == CallSyntax::kMistral && !format.older_calls);
  if (!is_marked) {
    fail(
        "calls that the model is free to make cannot be bound by schemas in this model's syntax ({}); ask for a call "
        "with tool_choice, or leave \"strict\" out",
        name_of(format.calls));
  }
  const Expr text = builder.automaton(grammar::text_without(openers), grammar::Encoding::kPlain);
  return builder.sequence({text, builder.repeat(builder.sequence({call, text}), 0, grammar::kUnbounded)});
}

}  // namespace

std::vector<std::string> call_openers(const ReplyFormat& format) {
  switch (format.calls) {
    case CallSyntax::kGlm:
    case CallSyntax::kFunction:
    case CallSyntax::kHermes:
      return {"<tool_call>"};
    case CallSyntax::kMistral:
      return {"[TOOL_CALLS]"};
    case CallSyntax::kDeepSeek:
      return {"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"};
    case CallSyntax::kNone:
    case CallSyntax::kLlama:
    case CallSyntax::kHarmony:
      break;
  }
  return {};
}

bool thinks_by_itself(const ReplyFormat& format, const ConstraintSpec& spec) {
  return spec.calls == Calls::kAuto || format.calls == CallSyntax::kHarmony;
}

Expr add_tool_calls(Builder& builder, const ReplyFormat& format, const Json& tools, const ConstraintSpec& spec,
                    std::vector<std::string>& warnings) {
  CallWriter writer(builder, format, warnings);
  const Expr call = writer.any_of(read_tools(tools, spec.tool));
  if (spec.calls == Calls::kAuto) return freely(builder, format, call);
  const Expr calls = writer.list(call, spec.calls == Calls::kSome);
  if (format.calls != CallSyntax::kHarmony) return calls;
  const std::vector<std::string> barred = {"<|channel|>", "<|call|>", "<|return|>", "<|message|>"};
  const Expr thought = builder.sequence(
      {builder.bytes(kAnalysis), builder.automaton(grammar::text_up_to("<|end|>", barred), grammar::Encoding::kPlain),
       builder.bytes("<|start|>assistant")});
  return builder.sequence({builder.repeat(thought, 0, grammar::kUnbounded), calls});
}

}  // namespace glint
