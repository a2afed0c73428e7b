// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/attribute_getter.h"

#include <algorithm>
#include <charconv>

#include "text/jinja/characters.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_methods.h"

namespace glint::jinja {

AttributeGetter::AttributeGetter(Runtime& runtime, const Value& attribute, Value otherwise)
    : otherwise_(std::move(otherwise)) {
  const Text* text = attribute.text();
  if (text == nullptr) {
    if (!attribute.missing() && !attribute.none()) path_.push_back(attribute);
    return;
  }
  const std::string_view path = text->view();
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    int64_t index = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = error == std::errc() && stop == part.data() + part.size() && part[0] != '-';
    path_.push_back(number ? Value(index) : runtime.text(part, true));
    begin = end + 1;
  }
}

Value AttributeGetter::operator()(Runtime& runtime, Value item) const {
  for (const Value& part : path_) {
    item = get_item(runtime, item, part);
    if (item.undefined() && !otherwise_.missing() && !otherwise_.none()) item = otherwise_;
  }
  return item;
}

Value ignore_case(Runtime& runtime, const Value& value) {
  return value.string() != nullptr ? map_text(runtime, *value.string(), lower) : value;
}

}  // namespace glint::jinja
