// SPDX-License-Identifier: Apache-2.0
//
// Hugging Face's tokenizer.json to GGUF's arrays. The file is a user's download and so may be anything.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file_map.h"
#include "base/printable.h"
#include "gguf/synth/vocabulary.h"

namespace glint::gguf {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxTokens = 1 << 22;
constexpr std::string_view kLowerBlock = "\xe2\x96\x81";  // U+2581
constexpr std::string_view kWideBar = "\xef\xbd\x9c";     // U+FF5C, in DeepSeek's tokens

const Json& member(const Json& object, const char* key, const std::string& name) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) fail("{}: \"{}\" is missing", name, key);
  return *found;
}

// Converters mark tokens as control by their look too, because many tokenizers forget to say "special".
bool looks_special(std::string_view text) {
  const auto wrapped = [&](std::string_view open, std::string_view close) {
    return text.size() >= open.size() + close.size() && text.starts_with(open) && text.ends_with(close);
  };
  const std::string wide_open = fmt::format("<{}", kWideBar), wide_close = fmt::format("{}>", kWideBar);
  return wrapped("<|", "|>") || wrapped(wide_open, wide_close) || wrapped("<unused", ">") || text == "<pad>" ||
         text == "<mask>" || text == "<2mass>" || text == "[@BOS@]";
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Tokens by id, while the file's order is still unknown.
class TokenTable {
 public:
  explicit TokenTable(const std::string& name) : name_(name) {}

  void set(int64_t id, std::string text, TokenType type) {
    if (id < 0 || id >= static_cast<int64_t>(kMaxTokens)) {
      fail("{}: token \"{}\" has id {}, expected 0 to {}", name_, printable(text), id, kMaxTokens - 1);
    }
    const auto index = static_cast<size_t>(id);
    if (index >= slots_.size()) slots_.resize(index + 1);
    auto& slot = slots_[index];
    // An added token may repeat an entry of the vocabulary, not replace one.
    if (slot && slot->first != text) {
      fail("{}: tokens \"{}\" and \"{}\" have the same id {}", name_, printable(slot->first), printable(text), id);
    }
    slot.emplace(std::move(text), type);
  }

  Vocabulary take() {
    Vocabulary vocabulary;
    for (auto& slot : slots_) {
      if (slot) {
        const auto& [text, type] = *slot;
        // A user-defined token is matched in plain text, so it is written as plain text.
        vocabulary.add(type == TokenType::kUserDefined ? replace_all(text, kLowerBlock, " ") : text, type);
      } else {
        vocabulary.pad(vocabulary.tokens.size() + 1);
      }
    }
    return vocabulary;
  }

 private:
  const std::string& name_;
  std::vector<std::optional<std::pair<std::string, TokenType>>> slots_;
};

void add_tokens(const Json& root, const Json& model, const std::string& name, TokenTable& table) {
  for (const auto& [text, id] : member(model, "vocab", name).items()) {
    table.set(id.get<int64_t>(), text, TokenType::kNormal);
  }
  const auto added = root.find("added_tokens");
  if (added == root.end()) return;
  for (const Json& token : *added) {
    const auto text = member(token, "content", name).get<std::string>();
    const bool control = token.value("special", false) || looks_special(text);
    table.set(member(token, "id", name).get<int64_t>(), text, control ? TokenType::kControl : TokenType::kUserDefined);
  }
}

// Newer files hold pairs, older ones "left right"; GGUF holds the latter, with spaces inside a half written as the
// byte-level alphabet writes them.
std::string merge_text(const Json& merge, const std::string& name) {
  if (merge.is_string()) return merge.get<std::string>();
  if (!merge.is_array() || merge.size() != 2) fail("{}: a merge that is neither a text nor a pair", name);
  const auto half = [](const Json& text) { return replace_all(text.get<std::string>(), " ", "\xc4\xa0"); };
  return half(merge[0]) + " " + half(merge[1]);
}

Vocabulary convert(const Json& root, const std::string& name) {
  const Json& model = member(root, "model", name);
  if (model.value("type", "") != "BPE" || model.value("byte_fallback", false)) {
    fail("{}: expected a byte-level BPE tokenizer (model type \"BPE\" without byte_fallback), found type \"{}\"{}",
         name, printable(model.value("type", "")), model.value("byte_fallback", false) ? " with byte_fallback" : "");
  }
  TokenTable table(name);
  add_tokens(root, model, name, table);
  Vocabulary vocabulary = table.take();
  if (vocabulary.tokens.empty()) fail("{}: no tokens", name);
  for (const Json& merge : member(model, "merges", name)) vocabulary.merges.push_back(merge_text(merge, name));
  return vocabulary;
}

}  // namespace

Vocabulary parse_tokenizer_json(std::string_view json, const std::string& name) {
  try {
    return convert(Json::parse(json), name);
  } catch (const Json::exception& error) {
    fail("{}: not a tokenizer.json: {}", name, printable(error.what(), 300));
  }
}

Vocabulary read_tokenizer_json(const std::string& path) {
  const FileMap file = FileMap::open(path);
  return parse_tokenizer_json(file.text(), path);
}

}  // namespace glint::gguf
