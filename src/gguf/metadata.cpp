// SPDX-License-Identifier: Apache-2.0
#include "gguf/metadata.h"

#include <array>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/printable.h"

namespace glint::gguf {

namespace {

// "array of 3 string" or "u32": what a value is, for messages.
std::string describe(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value.data)) {
    return fmt::format("array of {} {}", array->size(), value_type_name(array->element_type));
  }
  return std::string(value_type_name(value.type));
}

}  // namespace

std::string_view value_type_name(ValueType type) {
  static constexpr std::array<std::string_view, 13> kNames = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                              "bool", "string", "array", "u64", "i64", "f64"};
  const auto id = static_cast<size_t>(type);
  GLINT_CHECK(id < kNames.size());
  return kNames[id];
}

size_t Array::size() const {
  return std::visit([](const auto& list) { return list.size(); }, values);
}

void Metadata::add(std::string_view key, Value value) {
  if (!index_.try_emplace(key, entries_.size()).second) {
    fail("{}: key {} is there twice", file_name_, printable(key));
  }
  entries_.push_back({key, std::move(value), false});
}

void Metadata::set(std::string_view key, Value value) {
  if (auto* text = std::get_if<std::string_view>(&value.data)) *text = keep(*text);
  if (auto* array = std::get_if<Array>(&value.data)) {
    if (auto* texts = std::get_if<std::vector<std::string_view>>(&array->values)) {
      for (std::string_view& text : *texts) text = keep(text);
    }
  }
  if (const auto found = index_.find(key); found != index_.end()) {
    Entry& entry = entries_[found->second];
    entry.value = std::move(value);
    entry.overridden = true;
    return;
  }
  const std::string_view kept = keep(key);
  index_.emplace(kept, entries_.size());
  entries_.push_back({kept, std::move(value), true});
}

std::string_view Metadata::keep(std::string_view text) {
  return *storage_.emplace_back(std::make_shared<const std::string>(text));
}

const Value* Metadata::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &entries_[found->second].value;
}

const Value& Metadata::require(std::string_view key, const char* expected) const {
  const Value* value = find(key);
  if (value == nullptr) fail("{}: key {} is missing (expected {})", file_name_, printable(key), expected);
  return *value;
}

const Array& Metadata::require_array(std::string_view key, const char* expected) const {
  const Value& value = require(key, expected);
  const auto* array = std::get_if<Array>(&value.data);
  if (array == nullptr) wrong_type(key, value, expected);
  return *array;
}

void Metadata::wrong_type(std::string_view key, const Value& value, const char* expected) const {
  fail("{}: key {} is {}, expected {}", file_name_, printable(key), describe(value), expected);
}

int64_t Metadata::integer(std::string_view key) const {
  const Value& value = require(key, "an integer");
  if (const auto* number = std::get_if<int64_t>(&value.data)) return *number;
  const auto* number = std::get_if<uint64_t>(&value.data);
  if (number == nullptr) wrong_type(key, value, "an integer");
  if (!std::in_range<int64_t>(*number)) {
    fail("{}: key {} is {}, expected at most {}", file_name_, printable(key), *number,
         std::numeric_limits<int64_t>::max());
  }
  return static_cast<int64_t>(*number);
}

double Metadata::number(std::string_view key) const {
  const Value& value = require(key, "a number");
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value.data)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<uint64_t>(&value.data)) return static_cast<double>(*number);
  wrong_type(key, value, "a number");
}

bool Metadata::boolean(std::string_view key) const {
  const Value& value = require(key, "a bool");
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  wrong_type(key, value, "a bool");
}

std::string_view Metadata::string(std::string_view key) const {
  const Value& value = require(key, "a string");
  if (const auto* text = std::get_if<std::string_view>(&value.data)) return *text;
  wrong_type(key, value, "a string");
}

int64_t Metadata::integer_or(std::string_view key, int64_t absent) const {
  return contains(key) ? integer(key) : absent;
}

double Metadata::number_or(std::string_view key, double absent) const {
  return contains(key) ? number(key) : absent;
}

bool Metadata::boolean_or(std::string_view key, bool absent) const {
  return contains(key) ? boolean(key) : absent;
}

std::string_view Metadata::string_or(std::string_view key, std::string_view absent) const {
  return contains(key) ? string(key) : absent;
}

const std::vector<std::string_view>& Metadata::strings(std::string_view key) const {
  constexpr const char* kExpected = "an array of strings";
  const Array& array = require_array(key, kExpected);
  const auto* texts = std::get_if<std::vector<std::string_view>>(&array.values);
  if (texts == nullptr) wrong_type(key, *find(key), kExpected);
  return *texts;
}

std::vector<int64_t> Metadata::integers(std::string_view key) const {
  constexpr const char* kExpected = "an array of integers";
  const Array& array = require_array(key, kExpected);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&array.values)) return *list;
  const auto* list = std::get_if<std::vector<uint64_t>>(&array.values);
  if (list == nullptr) wrong_type(key, *find(key), kExpected);
  for (size_t i = 0; i < list->size(); ++i) {
    if (!std::in_range<int64_t>((*list)[i])) {
      fail("{}: key {}: element {} is {}, expected at most {}", file_name_, printable(key), i, (*list)[i],
           std::numeric_limits<int64_t>::max());
    }
  }
  return {list->begin(), list->end()};
}

std::vector<double> Metadata::numbers(std::string_view key) const {
  constexpr const char* kExpected = "an array of numbers";
  const Array& array = require_array(key, kExpected);
  if (const auto* list = std::get_if<std::vector<double>>(&array.values)) return *list;
  if (const auto* list = std::get_if<std::vector<int64_t>>(&array.values)) return {list->begin(), list->end()};
  if (const auto* list = std::get_if<std::vector<uint64_t>>(&array.values)) return {list->begin(), list->end()};
  wrong_type(key, *find(key), kExpected);
}

std::vector<bool> Metadata::booleans(std::string_view key) const {
  constexpr const char* kExpected = "an array of bools";
  const Array& array = require_array(key, kExpected);
  if (const auto* list = std::get_if<std::vector<bool>>(&array.values)) return *list;
  wrong_type(key, *find(key), kExpected);
}

}  // namespace glint::gguf
