// SPDX-License-Identifier: Apache-2.0
#include "server/fields.h"

#include <cmath>

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return "a boolean";
    case Json::value_t::string: return "a string";
    case Json::value_t::array: return "an array";
    case Json::value_t::object: return "an object";
    default: return "a number";
  }
}

std::optional<int64_t> as_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it not every whole number is a double
  if (std::floor(number) != number || std::abs(number) > kExact) return std::nullopt;
  return static_cast<int64_t>(number);
}

Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    throw ApiError::invalid(fmt::format("{}: expected an object, found {}",
                                        where_.empty() ? "the body" : where_.substr(0, where_.size() - 1), kind_of(object)));
  }
}

const Json* Fields::find(std::string_view name) const {
  if (!read_.contains(name)) read_.emplace(name);
  for (const auto& [key, value] : object_.get_ref<const Json::object_t&>()) {
    if (key == name) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

std::vector<std::string> Fields::unread() const {
  constexpr size_t kMost = 32;
  std::vector<std::string> names;
  for (const auto& [key, value] : object_.get_ref<const Json::object_t&>()) {
    if (names.size() == kMost) break;
    if (!value.is_null() && !read_.contains(key)) names.push_back(where_ + printable(key));
  }
  return names;
}

void Fields::refuse(std::string_view name, std::string_view expected) const {
  const Json* value = find(name);
  const std::string found = value == nullptr               ? "nothing"
                            : value->is_number()           ? printable(to_text(*value))
                                                           : std::string(kind_of(*value));
  throw ApiError::invalid(fmt::format("{}{}: expected {}, found {}", where_, name, expected, found));
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t low, int64_t high) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> number = as_integer(*value);
  if (!number || *number < low || *number > high) {
    const bool is_bounded = high < std::numeric_limits<int>::max();
    refuse(name, is_bounded ? fmt::format("a whole number from {} to {}", low, high)
                            : fmt::format("a whole number of at least {}", low));
  }
  return number;
}

std::optional<int> Fields::count(std::string_view name, int low, int high) const {
  const std::optional<int64_t> number = integer(name, low, high);
  return number ? std::optional<int>(static_cast<int>(*number)) : std::nullopt;
}

std::optional<float> Fields::number(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (!value->is_number() || !(std::abs(value->get<double>()) <= kLargest)) refuse(name, "a number");
  return value->get<float>();
}

std::optional<bool> Fields::boolean(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

const std::string* Fields::string(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_string()) refuse(name, "a string");
  return &value->get_ref<const std::string&>();
}

const std::string& Fields::required_string(std::string_view name) const {
  const std::string* value = string(name);
  if (value == nullptr) refuse(name, "a string");
  return *value;
}

const Json* Fields::object(std::string_view name) const {
  const Json* value = find(name);
  if (value != nullptr && !value->is_object()) refuse(name, "an object");
  return value;
}

const Json* Fields::array(std::string_view name) const {
  const Json* value = find(name);
  if (value != nullptr && !value->is_array()) refuse(name, "an array");
  return value;
}

std::vector<std::string> Fields::strings(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) refuse(name, "a string or an array of strings");
  std::vector<std::string> texts;
  for (const Json& item : *value) {
    if (!item.is_string()) refuse(name, "a string or an array of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace glint::server
