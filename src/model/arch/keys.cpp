// SPDX-License-Identifier: Apache-2.0
#include "model/arch/keys.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/printable.h"

namespace glint {
namespace {

/// A value as its file has it, for messages.
std::string describe(const gguf::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value.data)) return "\"" + printable(*text) + "\"";
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value.data)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<int64_t>(&value.data)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<uint64_t>(&value.data)) return fmt::format("{}", *number);
  return fmt::format("an array of {}", std::get<gguf::Array>(value.data).size());
}

}  // namespace

Keys::Keys(const gguf::File& file) : file_(file), architecture_(file.metadata().string("general.architecture")) {}

bool Keys::overridden(std::string_view name) const {
  const std::string key = full(name);
  for (const auto& entry : file_.metadata().entries()) {
    if (entry.key == key) return entry.overridden;
  }
  return false;
}

int Keys::integer(std::string_view name, int low, int high) const {
  const std::string key = full(name);
  const gguf::Value* value = file_.metadata().find(key);
  if (value == nullptr) fail("{}: key {} is missing; expected {} to {}", file_.name(), key, low, high);
  const auto* negative = std::get_if<int64_t>(&value->data);
  const auto* positive = std::get_if<uint64_t>(&value->data);
  const bool fits = (negative != nullptr && *negative >= low && *negative <= high) ||
                    (positive != nullptr && std::in_range<int>(*positive) && static_cast<int>(*positive) >= low &&
                     static_cast<int>(*positive) <= high);
  if (!fits) {
    fail("{}: key {} is {}; expected a whole number from {} to {}", file_.name(), key, describe(*value), low, high);
  }
  return negative != nullptr ? static_cast<int>(*negative) : static_cast<int>(*positive);
}

int Keys::integer_or(std::string_view name, int absent, int low, int high) const {
  return has(name) ? integer(name, low, high) : absent;
}

double Keys::number(std::string_view name, double low, double high) const {
  const std::string key = full(name);
  const gguf::Value* value = file_.metadata().find(key);
  if (value == nullptr) fail("{}: key {} is missing; expected {} to {}", file_.name(), key, low, high);
  const bool is_number = std::holds_alternative<double>(value->data) || std::holds_alternative<int64_t>(value->data) ||
                         std::holds_alternative<uint64_t>(value->data);
  const double number = is_number ? file_.metadata().number(key) : std::nan("");
  if (!(number >= low && number <= high)) {
    fail("{}: key {} is {}; expected a number from {} to {}", file_.name(), key, describe(*value), low, high);
  }
  return number;
}

double Keys::number_or(std::string_view name, double absent, double low, double high) const {
  return has(name) ? number(name, low, high) : absent;
}

bool Keys::boolean_or(std::string_view name, bool absent) const {
  return file_.metadata().boolean_or(full(name), absent);
}

std::string_view Keys::string_or(std::string_view name, std::string_view absent) const {
  return file_.metadata().string_or(full(name), absent);
}

bool Keys::some_block_has(std::string_view name) const {
  for (const HostTensor& tensor : file_.tensors()) {
    const std::string_view whole = tensor.name;
    if (!whole.starts_with("blk.") || !whole.ends_with(name)) continue;
    const std::string_view block = whole.substr(4, whole.size() - 4 - name.size());  // "12." of "blk.12.NAME"
    if (block.size() >= 2 && block.find_first_not_of("0123456789") == block.size() - 1 && block.back() == '.') return true;
  }
  return false;
}

std::vector<float> Keys::divisors(std::string_view tensor_name, int n) const {
  const HostTensor* tensor = file_.find(tensor_name);
  if (tensor == nullptr) fail("{}: tensor {} is missing", file_.name(), tensor_name);
  if (tensor->dtype != DType::kF32 || tensor->elements() != n) {
    fail("{}: tensor {} has {} values of {}; expected {} of F32", file_.name(), tensor_name, tensor->elements(),
         traits(tensor->dtype).name, n);
  }
  std::vector<float> values(static_cast<size_t>(n));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  for (float value : values) {
    if (!(value > 0 && std::isfinite(value))) {
      fail("{}: tensor {} holds {}; expected positive numbers", file_.name(), tensor_name, value);
    }
  }
  return values;
}

}  // namespace glint
