// SPDX-License-Identifier: Apache-2.0
#include "text/reply_parser.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "text/reply_reader.h"

namespace glint {
namespace {

uint64_t random_seed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

/// SplitMix64's finaliser (public domain).
uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::string letters_and_digits(uint64_t seed, uint64_t index, size_t n) {
  constexpr std::string_view kCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string text;
  uint64_t state = mixed(seed + 0x9E3779B97F4A7C15ULL * (index + 1));
  for (size_t i = 0; i < n; ++i) {
    state = mixed(state + 0x9E3779B97F4A7C15ULL);
    text += kCharacters[state % kCharacters.size()];
  }
  return text;
}

/// Mistral's templates take ids of nine letters and digits and no others.
constexpr size_t kShortId = 9, kLongId = 24;

bool is_short_id(std::string_view id) {
  return id.size() == kShortId && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
         });
}

}  // namespace

ReplyParser::ReplyParser(const ReplyFormat& format, const ReplyOptions& options)
    : short_ids_(format.calls == CallSyntax::kMistral), id_seed_(options.id_seed ? *options.id_seed : random_seed()) {
  ToolSchemas tools = options.tools == nullptr ? ToolSchemas() : ToolSchemas(*options.tools);
  reader_ = format.calls == CallSyntax::kHarmony ? make_harmony_reader(std::move(tools))
                                                 : make_marked_reader(format, std::move(tools), options.inside_thinking);
}

ReplyParser::ReplyParser(ReplyParser&&) noexcept = default;
ReplyParser& ReplyParser::operator=(ReplyParser&&) noexcept = default;
ReplyParser::~ReplyParser() = default;

ReplyDelta ReplyParser::push(std::string_view piece) {
  return number(reader_->read(piece, false));
}

ReplyDelta ReplyParser::finish() {
  return number(reader_->read({}, true));
}

ReplyDelta ReplyParser::number(ReplyPart part) {
  ReplyDelta delta{.reasoning = std::move(part.reasoning), .content = std::move(part.content), .calls = {}};
  for (ParsedCall& call : part.calls) {
    const int index = n_calls_++;
    std::string id = short_ids_ && is_short_id(call.id) ? call.id : std::string();
    if (id.empty()) {
      const auto place = static_cast<uint64_t>(index);
      id = short_ids_ ? letters_and_digits(id_seed_, place, kShortId)
                      : "call_" + letters_and_digits(id_seed_, place, kLongId);
    }
    delta.calls.push_back({index, std::move(id), std::move(call.name), std::move(call.arguments), call.begin, call.end});
  }
  return delta;
}

}  // namespace glint
