// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a reply: whole, byte by byte, and in the pieces that the input itself chooses, it must come apart the same
// way; arguments are JSON objects. The first byte picks the syntax and where thinking stands.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/reply_parser.h"

namespace {

using Json = nlohmann::ordered_json;

const Json& tools() {
  static const Json value = Json::parse(
      R"([{"function":{"name":"f","parameters":{"properties":{"s":{"type":"string"},"n":{"type":["integer","null"]}},"required":["s"]}}},{"name":"g"}])");
  return value;
}

template <class Next>
std::string read(const glint::ReplyFormat& format, bool inside, std::string_view text, Next&& next) {
  glint::ReplyParser parser(format, {.tools = &tools(), .inside_thinking = inside, .id_seed = 1});
  std::string reasoning, content, calls;
  const auto add = [&](const glint::ReplyDelta& delta) {
    reasoning += delta.reasoning;
    content += delta.content;
    for (const glint::ToolCallDelta& call : delta.calls) {
      if (!Json::accept(call.arguments_delta) || !call.arguments_delta.starts_with('{')) std::abort();
      calls += call.id + "\1" + call.name + "\1" + call.arguments_delta + "\1";
    }
  };
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::min<size_t>(next(at), text.size() - at);
    add(parser.push(text.substr(at, n)));
    at += n;
  }
  add(parser.finish());
  return reasoning + "\2" + content + "\2" + calls;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  glint::ReplyFormat format;
  format.calls = static_cast<glint::CallSyntax>(bytes[0] % 8);
  format.thinking_anywhere = (bytes[0] & 8) != 0;
  const bool inside = (bytes[0] & 16) != 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::string whole = read(format, inside, text, [&](size_t) { return text.size(); });
  if (read(format, inside, text, [](size_t) { return 1; }) != whole) std::abort();
  if (read(format, inside, text, [&](size_t at) { return 1 + bytes[at + 1] % 7; }) != whole) std::abort();
  return 0;
}
