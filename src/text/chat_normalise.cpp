// SPDX-License-Identifier: Apache-2.0
//
// Messages as clients send them to messages as a template wants them (declared in chat_render.h).
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/printable.h"
#include "text/chat_render.h"
#include "text/jinja/runtime.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPartSeparator = "\n";
constexpr std::string_view kSystemSeparator = "\n\n";

/// Types such as image_url, input_audio and file.
bool is_media(std::string_view type) {
  if (type.starts_with("input_")) type.remove_prefix(std::string_view("input_").size());
  return type.starts_with("image") || type.starts_with("audio") || type.starts_with("video") ||
         type.starts_with("file");
}

std::string_view type_of(const Json& part) {
  if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) return {};
  return part["type"].get_ref<const std::string&>();
}

bool is_text_part(const Json& part) {
  return part.is_string() || (type_of(part) == "text" && part.contains("text") && part["text"].is_string());
}

/// The texts of a content list in one.
std::string joined_text(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    if (!is_text_part(part)) continue;
    if (!text.empty()) text += kPartSeparator;
    text += part.is_string() ? part.get_ref<const std::string&>() : part["text"].get_ref<const std::string&>();
  }
  return text;
}

std::string text_of(const Json& content) {
  return content.is_string() ? content.get<std::string>() : content.is_array() ? joined_text(content) : std::string();
}

/// json.dumps of `value`, as templates print arguments.
std::string python_json(const Json& value) {
  jinja::Runtime runtime(jinja::RenderLimits{}, std::tm{});
  return jinja::to_json(runtime, jinja::value_of_json(nullptr, value, nullptr), {}).bytes();
}

class Normaliser {
 public:
  explicit Normaliser(const ChatCapabilities& capabilities) : capabilities_(capabilities) {}

  Json run(const Json& messages) {
    if (!messages.is_array()) fail("messages must be a list");
    Json out = Json::array();
    for (size_t i = 0; i < messages.size(); ++i) {
      place_ = fmt::format("messages[{}]", i);
      out.push_back(message(messages[i]));
    }
    return place_system_messages(std::move(out));
  }

 private:
  Json message(Json message);
  void content(Json& message, const std::string& role);
  void arguments(Json& arguments) const;
  Json place_system_messages(Json messages) const;

  const ChatCapabilities& capabilities_;
  std::string place_;  // of what is looked at, for messages
};

Json Normaliser::message(Json message) {
  if (!message.is_object()) fail("{} must be an object", place_);
  if (!message.contains("role") || !message["role"].is_string()) fail("{} has no role", place_);
  if (message["role"] == "developer" && !capabilities_.developer_role) message["role"] = "system";
  const std::string role = message["role"].get<std::string>();
  if (message.contains("tool_calls")) {
    Json& calls = message["tool_calls"];
    if (!calls.is_null() && !calls.is_array()) fail("{}.tool_calls must be a list", place_);
    if (calls.empty()) {
      message.erase("tool_calls");
    } else {
      for (Json& call : calls) {
        if (!call.is_object()) fail("{}.tool_calls must hold objects", place_);
        Json& function = call.contains("function") && call["function"].is_object() ? call["function"] : call;
        if (function.contains("arguments")) arguments(function["arguments"]);
      }
    }
  }
  content(message, role);
  return message;
}

void Normaliser::content(Json& message, const std::string& role) {
  if (!message.contains("content") || message["content"].is_null()) {
    if (!capabilities_.null_content) message["content"] = "";
    return;
  }
  Json& content = message["content"];
  if (!content.is_array()) return;
  const auto shown = capabilities_.list_content.find(role);
  if (shown == capabilities_.list_content.end() || shown->second) return;
  for (const Json& part : content) {
    if (!is_text_part(part)) return;
  }
  content = joined_text(content);
}

void Normaliser::arguments(Json& arguments) const {
  if (!capabilities_.object_arguments) {
    if (!arguments.is_string()) arguments = python_json(arguments.is_null() ? Json::object() : arguments);
    return;
  }
  if (arguments.is_null() || arguments == "") arguments = Json::object();
  if (!arguments.is_string()) return;
  Json parsed = Json::parse(arguments.get_ref<const std::string&>(), nullptr, false);
  if (!parsed.is_object()) {
    fail("{}: the arguments of a tool call must be a JSON object, found {}", place_,
         printable(arguments.get_ref<const std::string&>()));
  }
  arguments = std::move(parsed);
}

/// Moves system text to where the template shows it.
Json Normaliser::place_system_messages(Json messages) const {
  size_t n_late = 0;
  for (size_t i = 1; i < messages.size(); ++i) n_late += messages[i]["role"] == "system" ? 1 : 0;
  const bool any = n_late > 0 || (!messages.empty() && messages[0]["role"] == "system");
  if (!any || (capabilities_.system_role && (n_late == 0 || capabilities_.late_system_role))) return messages;

  std::string system;
  Json others = Json::array();
  for (Json& message : messages) {
    if (message["role"] != "system") {
      others.push_back(std::move(message));
      continue;
    }
    const std::string text = message.contains("content") ? text_of(message["content"]) : "";
    if (text.empty()) continue;
    if (!system.empty()) system += kSystemSeparator;
    system += text;
  }
  if (capabilities_.system_role) {
    others.insert(others.begin(), Json{{"role", "system"}, {"content", system}});
    return others;
  }
  for (Json& message : others) {
    if (message["role"] != "user") continue;
    Json& content = message["content"];
    if (content.is_array()) {
      content.insert(content.begin(), Json{{"type", "text"}, {"text", system + std::string(kSystemSeparator)}});
    } else {
      content = system + std::string(kSystemSeparator) + text_of(content);
    }
    return others;
  }
  others.insert(others.begin(), Json{{"role", "user"}, {"content", system}});
  return others;
}

}  // namespace

void require_text_content(const Json& messages) {
  for (size_t i = 0; messages.is_array() && i < messages.size(); ++i) {
    if (!messages[i].is_object() || !messages[i].contains("content") || !messages[i]["content"].is_array()) continue;
    for (const Json& part : messages[i]["content"]) {
      if (!is_media(type_of(part))) continue;
      fail("messages[{}]: content of type '{}' cannot be given to a text model", i, printable(type_of(part)));
    }
  }
}

Json normalise_messages(const Json& messages, const ChatCapabilities& capabilities) {
  return Normaliser(capabilities).run(messages);
}

}  // namespace glint
