// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/arguments.h"

#include <algorithm>

#include "text/jinja/operators.h"

namespace glint::jinja {

Bound::Bound(std::string_view function, Arguments& arguments, std::initializer_list<std::string_view> names,
             size_t n_required)
    : function_(function), values_(names.size()) {
  if (arguments.positional.size() > names.size()) {
    fail("{}() takes at most {} arguments, {} given", function, names.size(), arguments.positional.size());
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto* found = name.empty() ? names.end() : std::find(names.begin(), names.end(), name);
    if (found == names.end()) fail("{}() got an unexpected keyword argument '{}'", function, name);
    Value& slot = values_[static_cast<size_t>(found - names.begin())];
    if (!slot.missing()) fail("{}() got multiple values for argument '{}'", function, name);
    slot = value;
  }
  for (size_t i = 0; i < n_required; ++i) {
    if (values_[i].missing()) fail("{}() takes at least {} arguments", function, n_required);
  }
}

const Text& Bound::text(size_t index) const {
  const Text* text = values_[index].text();
  if (text == nullptr) wrong_type(index, "str");
  return *text;
}

int64_t Bound::integer(size_t index) const {
  const std::optional<int64_t> value = integer_value(values_[index]);
  if (!value) wrong_type(index, "int");
  return *value;
}

bool Bound::truth_or(Runtime& runtime, size_t index, bool otherwise) const {
  return given(index) ? truth(runtime, values_[index]) : otherwise;
}

void Bound::wrong_type(size_t index, std::string_view expected) const {
  const Value& value = values_[index];
  if (const Undefined* undefined = value.as_undefined()) fail("{}", undefined->message);
  fail("{}() argument {} must be {}, not {}", function_, index + 1, expected, type_name(value));
}

Value take_named(Arguments& arguments, std::string_view name) {
  for (auto argument = arguments.named.begin(); argument != arguments.named.end(); ++argument) {
    if (argument->first != name) continue;
    const Value value = argument->second;
    arguments.named.erase(argument);
    return value;
  }
  return Value();
}

std::optional<int64_t> integer_value(const Value& value) {
  if (const bool* boolean = value.boolean()) return *boolean;
  if (const int64_t* integer = value.integer()) return *integer;
  return std::nullopt;
}

}  // namespace glint::jinja
