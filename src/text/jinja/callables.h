// SPDX-License-Identifier: Apache-2.0
//
// Values that point back into the template: macros and the `loop` variable.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "text/jinja/interpreter.h"

namespace glint::jinja {

/// A macro, or the body of a {% call %} block as `caller`.
class Macro : public Object {
 public:
  Macro(Interpreter& interpreter, const Callable& callable, ActivationPtr closure)
      : interpreter_(interpreter), callable_(callable), closure_(std::move(closure)) {}
  std::string_view type_name() const override { return "Macro"; }
  Value attribute(Runtime& runtime, std::string_view name) override;
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override {
    return runtime.text(interpreter_.call_closure(callable_, closure_, arguments));
  }
  void write_repr(Runtime& runtime, TextBuilder& out) override;

 private:
  Interpreter& interpreter_;
  const Callable& callable_;
  ActivationPtr closure_;
};

/// The `loop` of a {% for %}: position, neighbours, and in recursive loops the loop itself as a function. It looks one
/// item ahead only when asked, as the iterable may be lazy.
class Loop : public Object, public std::enable_shared_from_this<Loop> {
 public:
  using Recursion = std::function<Text(const Value& iterable, int depth)>;

  /// `sized`: the iterable has a length of its own (it is not filtered).
  Loop(Value iterable, bool sized, std::shared_ptr<Iterator> iterator, Recursion recursion, int depth0)
      : Object(depth_of(iterable) + 1),
        iterable_(std::move(iterable)),
        sized_(sized),
        iterator_(std::move(iterator)),
        recursion_(std::move(recursion)),
        depth0_(depth0) {}

  bool next(Runtime& runtime, Value& item);

  std::string_view type_name() const override { return "LoopContext"; }
  Value attribute(Runtime& runtime, std::string_view name) override;
  std::optional<int64_t> length(Runtime& runtime) override;
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override;
  void write_repr(Runtime& runtime, TextBuilder& out) override;
  void clear() override { last_changed_ = Value(); }

 private:
  bool peek(Runtime& runtime);
  Value cycle(Arguments& arguments) const;
  Value changed(Runtime& runtime, Arguments& arguments);

  Value iterable_;
  bool sized_;
  std::shared_ptr<Iterator> iterator_;
  Recursion recursion_;
  int depth0_;
  int64_t index0_ = -1;
  std::optional<int64_t> length_;
  Value previous_, current_, ahead_, last_changed_;
  bool peeked_ = false;
};

}  // namespace glint::jinja
