// SPDX-License-Identifier: Apache-2.0
//
// "a.b.0": the path that filters such as map, sort and selectattr follow into each item.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"

namespace glint::jinja {

class AttributeGetter {
 public:
  /// `attribute`: a string with dots, an integer, or missing or none for the item itself. `otherwise` (missing: none)
  /// replaces what is undefined.
  AttributeGetter(Runtime& runtime, const Value& attribute, Value otherwise = Value());

  Value operator()(Runtime& runtime, Value item) const;
  int depth() const { return depth_of(otherwise_); }

 private:
  std::vector<Value> path_;
  Value otherwise_;
};

/// The value in lower case if it is a string.
Value ignore_case(Runtime& runtime, const Value& value);

}  // namespace glint::jinja
