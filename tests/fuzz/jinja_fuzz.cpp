// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target of the template engine: any bytes as a template, rendered with a small conversation. Nothing but an
// Error may come out, and the pieces of a prompt must be well-formed.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "text/jinja/template.h"

namespace {

using Json = nlohmann::ordered_json;

const Json& variables() {
  static const Json value = {
      {"messages",
       {{{"role", "system"}, {"content", "You are é 🙂."}},
        {{"role", "user"}, {"content", Json::array({{{"type", "text"}, {"text", "Hi <think>"}}})}},
        {{"role", "assistant"},
         {"content", nullptr},
         {"tool_calls", Json::array({{{"function", {{"name", "f"}, {"arguments", {{"a", 1}, {"b", 2.5}}}}}}})}},
        {{"role", "tool"}, {"content", "{\"k\": [1, 2]}"}}}},
      {"tools", Json::array({{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", Json::object()}}}}})},
      {"x", "abc"},
      {"n", 3},
      {"xs", {3, 1, 2}},
      {"d", {{"a", 1}, {"b", {{"c", "e"}}}}},
      {"add_generation_prompt", true}};
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  glint::jinja::RenderOptions options;
  options.limits.max_steps = 100'000;
  options.limits.max_live_bytes = 8u << 20;
  try {
    const glint::jinja::Template chat(source);
    bool previous = false;
    bool first = true;
    for (const glint::jinja::Piece& piece : chat.render(variables(), options)) {
      const bool fine =
          !piece.text.empty() && glint::utf8::is_valid(piece.text) && (first || piece.from_template != previous);
      if (!fine) std::abort();
      previous = piece.from_template;
      first = false;
    }
  } catch (const glint::Error&) {
  }
  return 0;
}
