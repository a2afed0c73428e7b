// SPDX-License-Identifier: Apache-2.0
//
// Finds out what a template does with small examples (declared in chat_render.h). An example that ends in an error, or
// is too expensive, counts as one the template cannot show.
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "text/chat_render.h"
#include "text/thinking.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFirst = "glintprobe-first";
constexpr std::string_view kSecond = "glintprobe-second";
constexpr std::string_view kFunction = "glintprobe_function";
constexpr std::string_view kKey = "glintprobe_key";

Json message(std::string_view role, Json content) {
  return {{"role", role}, {"content", std::move(content)}};
}
Json user() {
  return message("user", "question");
}
Json text_list(std::string_view text) {
  return Json::array({{{"type", "text"}, {"text", text}}});
}

Json tool_definitions() {
  const Json parameter = {{"type", "string"}, {"description", "a name"}};
  const Json parameters = {
      {"type", "object"}, {"properties", {{"name", parameter}}}, {"required", Json::array({"name"})}};
  return Json::array({{{"type", "function"},
                       {"function", {{"name", kFunction}, {"description", "a tool"}, {"parameters", parameters}}}}});
}

/// A turn that calls a tool and gets its result.
Json call_conversation(Json arguments, Json content) {
  Json call = message("assistant", std::move(content));
  // Nine letters and digits: some templates accept no other ids.
  call["tool_calls"] = Json::array({{{"id", "call12345"},
                                     {"type", "function"},
                                     {"function", {{"name", kFunction}, {"arguments", std::move(arguments)}}}}});
  Json result = message("tool", "result");
  result["tool_call_id"] = "call12345";
  result["name"] = kFunction;
  return Json::array({user(), std::move(call), std::move(result)});
}

class Probe {
 public:
  Probe(const jinja::Template& chat, const SpecialTokens& special_tokens)
      : chat_(chat), special_tokens_(special_tokens) {
    limits_.max_steps = 300'000;
    limits_.max_live_bytes = 16u << 20;
  }

  /// The prompt, nothing if the template objects.
  std::optional<std::string> render(const Json& messages, const Json& variables = {}, const Json& tools = {},
                                    bool add_generation_prompt = true) const {
    const ChatInput input{.messages = &messages,
                          .tools = &tools,
                          .variables = &variables,
                          .add_generation_prompt = add_generation_prompt,
                          .now = std::tm{},
                          .limits = limits_};
    try {
      return render_as_is(chat_, special_tokens_, input, none_tools).text;
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  bool shows(const Json& messages, std::string_view text) const {
    const std::optional<std::string> prompt = render(messages);
    return prompt && prompt->find(text) != std::string::npos;
  }

  bool none_tools = true;

 private:
  const jinja::Template& chat_;
  const SpecialTokens& special_tokens_;
  jinja::RenderLimits limits_;
};

bool contains(const std::optional<std::string>& prompt, std::string_view text) {
  return prompt && prompt->find(text) != std::string::npos;
}

void probe_roles(const Probe& probe, ChatCapabilities& found) {
  found.system_role = probe.shows(Json::array({message("system", kFirst), user()}), kFirst);
  found.developer_role = probe.shows(Json::array({message("developer", kFirst), user()}), kFirst);
  const Json late = Json::array(
      {message("system", kFirst), user(), message("assistant", "answer"), message("system", kSecond), user()});
  const std::optional<std::string> prompt = probe.render(late);
  found.late_system_role = contains(prompt, kFirst) && contains(prompt, kSecond);
}

void probe_tools(const Probe& probe, ChatCapabilities& found) {
  const Json tools = tool_definitions();
  found.tools = contains(probe.render(Json::array({user()}), {}, tools), kFunction);
  // Arguments printed without tojson show up as Python's repr: such a template wants them as JSON text.
  const Json arguments = {{kKey, "value"}};
  const std::string repr = fmt::format("'{}'", kKey);
  const auto usable = [&](const std::optional<std::string>& prompt) {
    return contains(prompt, kKey) && !contains(prompt, repr);
  };
  const std::optional<std::string> as_object = probe.render(call_conversation(arguments, ""), {}, tools);
  const std::optional<std::string> as_text = probe.render(call_conversation(arguments.dump(), ""), {}, tools);
  found.object_arguments = usable(as_object) || !usable(as_text);
  const std::optional<std::string>& best = found.object_arguments ? as_object : as_text;
  found.tool_calls = contains(best, kKey);
  const Json& preferred = found.object_arguments ? arguments : Json(arguments.dump());
  const std::optional<std::string> with_null = probe.render(call_conversation(preferred, nullptr), {}, tools);
  found.null_content = with_null && !contains(with_null, "None");
}

void probe_list_content(const Probe& probe, ChatCapabilities& found) {
  const auto shows_list = [&](const Json& messages) {
    const std::optional<std::string> prompt = probe.render(messages);
    return contains(prompt, kFirst) && !contains(prompt, "'type'") && !contains(prompt, "\"type\"");
  };
  found.list_content["user"] = shows_list(Json::array({message("user", text_list(kFirst))}));
  found.list_content["system"] = shows_list(Json::array({message("system", text_list(kFirst)), user()}));
  found.list_content["developer"] = shows_list(Json::array({message("developer", text_list(kFirst)), user()}));
  found.list_content["assistant"] = shows_list(Json::array({user(), message("assistant", text_list(kFirst)), user()}));
  const Json& arguments = found.object_arguments ? Json::object() : Json("{}");
  Json tool_turn = call_conversation(arguments, "");
  tool_turn[2]["content"] = text_list(kFirst);
  found.list_content["tool"] = shows_list(tool_turn);
}

void probe_thinking(const Probe& probe, ChatCapabilities& found) {
  const Json question = Json::array({user()});
  for (const char* variable : {"enable_thinking", "thinking"}) {
    const std::optional<std::string> on = probe.render(question, {{variable, true}});
    const std::optional<std::string> off = probe.render(question, {{variable, false}});
    if (!on || !off || *on == *off) continue;
    found.thinking_variable = variable;
    break;
  }
  found.thinks_by_default = ends_inside_thinking(probe.render(question).value_or(""));
  Json answer = message("assistant", "answer");
  answer["reasoning_content"] = kFirst;
  found.reasoning_content = contains(probe.render(Json::array({user(), answer}), {}, {}, false), kFirst);
}

}  // namespace

ChatCapabilities probe_capabilities(const jinja::Template& chat, const SpecialTokens& special_tokens) {
  Probe probe(chat, special_tokens);
  ChatCapabilities found;
  const Json question = Json::array({user()});
  if (!probe.render(question)) {
    // A template that cannot even render one question tells nothing; its objections come with the first real prompt.
    probe.none_tools = false;
    if (!probe.render(question)) return found;
    found.none_tools = false;
  }
  probe_roles(probe, found);
  probe_tools(probe, found);
  probe_list_content(probe, found);
  probe_thinking(probe, found);
  return found;
}

}  // namespace glint
