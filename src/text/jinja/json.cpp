// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

using Json = nlohmann::ordered_json;

Value string_value(Meter* meter, std::string_view key, const std::string& text, const TrustRule& trusted) {
  if (const auto offset = find_invalid_utf8(text)) fail("input text is not valid UTF-8 at byte {}", *offset);
  return make_string(meter, text, trusted && trusted(key, text));
}

Value convert(Meter* meter, const Json& json, std::string_view key, const TrustRule& trusted, int depth) {
  if (depth > kMaxValueDepth) fail("input JSON is nested more than {} deep", kMaxValueDepth);
  switch (json.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
    case Json::value_t::binary:
      return None();
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value(static_cast<int64_t>(number)) : Value(static_cast<double>(number));
    }
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return string_value(meter, key, json.get_ref<const std::string&>(), trusted);
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(convert(meter, item, "", trusted, depth + 1));
      return make_list(meter, std::move(items));
    }
    case Json::value_t::object: {
      std::vector<Dict::Entry> entries;
      entries.reserve(json.size());
      for (const auto& [name, item] : json.items()) {
        entries.emplace_back(string_value(meter, "", name, nullptr), convert(meter, item, name, trusted, depth + 1));
      }
      return make_dict(meter, std::move(entries));
    }
  }
  return None();
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style), out_(&runtime.meter) {}

  void write(const Value& value, int level);
  Text take() { return out_.take(); }

 private:
  void write_string(const Text& text);
  void write_escaped(char32_t point, bool trusted);
  void write_items(const std::vector<Value>& items, int level);
  void write_dict(const Dict& dict, int level);
  void write_key(const Value& key);
  void write_plain(std::string_view text) { out_.append(text, false); }
  void new_line(int level);

  Runtime& runtime_;
  const JsonStyle& style_;
  TextBuilder out_;
};

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_repr(value);
}

void JsonWriter::write(const Value& value, int level) {
  runtime_.meter.step();
  const Nesting nesting(runtime_.meter);
  switch (value.kind()) {
    case Kind::kNone:
      return write_plain("null");
    case Kind::kBool:
      return write_plain(*value.boolean() ? "true" : "false");
    case Kind::kInt:
      return write_plain(fmt::format("{}", *value.integer()));
    case Kind::kFloat:
      return write_plain(json_float(*value.floating()));
    case Kind::kString:
      return write_string(*value.text());
    case Kind::kList:
    case Kind::kTuple:
      return write_items(*value.items(), level);
    case Kind::kDict:
      return write_dict(*value.dict(), level);
    default:
      if (const Undefined* undefined = value.as_undefined()) {
        fail("Object of type Undefined is not JSON serializable ({})", undefined->message);
      }
      fail("Object of type {} is not JSON serializable", type_name(value));
  }
}

void JsonWriter::write_string(const Text& text) {
  write_plain("\"");
  text.for_each_run(0, text.size(), [&](std::string_view run, bool trusted) {
    size_t plain = 0;  // start of what is copied as is
    for (size_t offset = 0; offset < run.size();) {
      const size_t begin = offset;
      const char32_t point = next_point(run, offset);
      const bool escaped = point < 0x20 || point == '"' || point == '\\' || (style_.ascii_only && point > 0x7e);
      if (!escaped) continue;
      out_.append(run.substr(plain, begin - plain), trusted);
      plain = offset;
      write_escaped(point, trusted);
    }
    out_.append(run.substr(plain), trusted);
  });
  write_plain("\"");
}

void JsonWriter::write_escaped(char32_t point, bool trusted) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  const size_t found = point < 0x80 ? kShort.find(static_cast<char>(point)) : std::string_view::npos;
  if (found != std::string_view::npos) return out_.append(fmt::format("\\{}", kLetters[found]), trusted);
  auto code = static_cast<uint32_t>(point);
  if (code > 0xffff) {
    code -= 0x10000;
    out_.append(fmt::format("\\u{:04x}", 0xd800 + (code >> 10)), trusted);
    code = 0xdc00 + (code & 0x3ff);
  }
  out_.append(fmt::format("\\u{:04x}", code), trusted);
}

void JsonWriter::new_line(int level) {
  if (!style_.indent) return;
  write_plain("\n");
  for (int i = 0; i < level; ++i) write_plain(*style_.indent);
}

void JsonWriter::write_items(const std::vector<Value>& items, int level) {
  if (items.empty()) return write_plain("[]");
  write_plain("[");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) write_plain(style_.item_separator);
    new_line(level + 1);
    write(items[i], level + 1);
  }
  new_line(level);
  write_plain("]");
}

void JsonWriter::write_dict(const Dict& dict, int level) {
  if (dict.size() == 0) return write_plain("{}");
  std::vector<const Dict::Entry*> entries;
  for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
  if (style_.sort_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const auto* a, const auto* b) { return less(runtime_, a->first, b->first); });
  }
  write_plain("{");
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) write_plain(style_.item_separator);
    new_line(level + 1);
    write_key(entries[i]->first);
    write_plain(style_.key_separator);
    write(entries[i]->second, level + 1);
  }
  new_line(level);
  write_plain("}");
}

void JsonWriter::write_key(const Value& key) {
  if (key.text() != nullptr) return write_string(*key.text());
  if (!key.none() && !is_number(key)) {
    fail("keys must be str, int, float, bool or None, not {}", type_name(key));
  }
  write_plain("\"");
  write(key, 0);
  write_plain("\"");
}

}  // namespace

Value value_of_json(Meter* meter, const Json& json, const TrustRule& trusted) {
  return convert(meter, json, "", trusted, 0);
}

Value value_of_json_text(Meter& meter, std::string_view text) {
  // The parser keeps members in order by scanning for each new one: bound the square.
  constexpr int64_t kMaxMembers = 10'000;
  meter.work(text.size() * 4);
  if (std::count(text.begin(), text.end(), ':') > kMaxMembers)
    fail("template too expensive: from_json of a large text");
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) fail("from_json: the text is not JSON");
  return value_of_json(&meter, json, nullptr);
}

Text to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace glint::jinja
