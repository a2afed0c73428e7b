// SPDX-License-Identifier: Apache-2.0
//
// What every template can call: range, dict, namespace, cycler, joiner, and transformers' raise_exception and
// strftime_now. Nothing here reaches outside the rendering: no files, no clock (the date is an input), no randomness.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "text/jinja/runtime.h"

namespace glint::jinja {

/// The global of that name, Missing if there is none.
Value find_global(Runtime& runtime, std::string_view name);

/// A function of our own as a value. `depth`: that of the values it holds.
using NativeFunction = std::function<Value(Runtime&, Arguments&)>;
Value make_function(std::string name, NativeFunction function, int depth = 0);

/// {% set ns.name = value %} works on these only.
class Namespace : public Object {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  Value attribute(Runtime& runtime, std::string_view name) override;
  void write_repr(Runtime& runtime, TextBuilder& out) override;
  void clear() override { members_.clear(); }
  void set(Runtime& runtime, const Value& name, Value value);

 private:
  std::vector<Dict::Entry> members_;
};

/// `date` in the manner of strftime, C locale. Throws Error for a directive that Python does not document.
std::string format_date(const std::tm& date, std::string_view format);

}  // namespace glint::jinja
