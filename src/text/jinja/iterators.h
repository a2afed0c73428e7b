// SPDX-License-Identifier: Apache-2.0
//
// Iterators over the built-in types, and Generator: the one-shot lazy sequence that map, select and their like return.
// Lazy as in Python, so a template that takes the first item never pays for, or fails on, the rest.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "text/jinja/runtime.h"

namespace glint::jinja {

/// Calls `step(runtime, item)` for each next item.
class FunctionIterator : public Iterator {
 public:
  using Step = std::function<bool(Runtime&, Value&)>;
  explicit FunctionIterator(Step step) : step_(std::move(step)) {}
  bool next(Runtime& runtime, Value& item) override {
    runtime.meter.step();
    return step_(runtime, item);
  }

 private:
  Step step_;
};

std::shared_ptr<Iterator> iterate_items(std::shared_ptr<const std::vector<Value>> items, bool backwards);
/// Walks the code points of a string.
std::shared_ptr<Iterator> iterate_string(Value string);
/// Keys, values or (key, value) pairs of a dict.
enum class DictPart { kKeys, kValues, kItems };
std::shared_ptr<Iterator> iterate_dict(Value dict, DictPart part, bool backwards);

/// An object that can be walked once.
class Generator : public Object {
 public:
  Generator(std::string name, std::shared_ptr<Iterator> iterator, int depth)
      : Object(depth), name_(std::move(name)), iterator_(std::move(iterator)) {}
  std::string_view type_name() const override { return name_; }
  std::shared_ptr<Iterator> iterate(Runtime&) override { return iterator_; }

 private:
  std::string name_;
  std::shared_ptr<Iterator> iterator_;
};

/// A generator over `step`; `depth` is that of the values it holds.
Value make_generator(Runtime& runtime, int depth, FunctionIterator::Step step);

/// dict.keys(), dict.values(), dict.items().
Value make_dict_view(Runtime& runtime, Value dict, DictPart part);

}  // namespace glint::jinja
