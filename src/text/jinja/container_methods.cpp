// SPDX-License-Identifier: Apache-2.0
//
// Methods of lists, tuples, dicts and floats, and method look-up for all types (declared in methods.h).
#include <algorithm>
#include <array>
#include <cmath>

#include "text/jinja/arguments.h"
#include "text/jinja/iterators.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

class BoundMethod : public Object {
 public:
  BoundMethod(const Value& self, const Method& method) : Object(depth_of(self) + 1), self_(self), method_(method) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override { return method_.function(runtime, self_, arguments); }

 private:
  Value self_;
  const Method& method_;
};

Value method_count(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {""}, 1);
  const auto& items = *self.items();
  return Value(static_cast<int64_t>(std::count_if(items.begin(), items.end(), [&](const Value& item) {
    return item.same_as(bound[0]) || equal(runtime, item, bound[0]);
  })));
}

Value method_index(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("index", arguments, {"", "", ""}, 1);
  const auto& items = *self.items();
  const auto size = static_cast<int64_t>(items.size());
  const auto position = [&](size_t index, int64_t otherwise) {
    const int64_t at = bound.integer_or(index, otherwise);
    return at < 0 ? std::max<int64_t>(at + size, 0) : std::min(at, size);
  };
  const int64_t end = position(2, size);
  for (int64_t i = position(1, 0); i < end; ++i) {
    const Value& item = items[static_cast<size_t>(i)];
    if (item.same_as(bound[0]) || equal(runtime, item, bound[0])) return Value(i);
  }
  fail("{} is not in list", short_repr(runtime, bound[0]));
}

Value method_copy(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  return self;  // values never change, so the same one is as good as a copy
}

Value method_get(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("get", arguments, {"", ""}, 1);
  require_hashable(bound[0]);
  if (bound[0].text() != nullptr) runtime.meter.work(bound[0].text()->size());
  const Value* found = self.dict()->find(bound[0]);
  if (found != nullptr) return *found;
  return bound.given(1) ? bound[1] : Value(None());
}

template <DictPart part>
Value method_view(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("dict view", arguments, {});
  return make_dict_view(runtime, self, part);
}

Value method_is_integer(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("is_integer", arguments, {});
  return Value(std::isfinite(*self.floating()) && *self.floating() == std::floor(*self.floating()));
}

constexpr std::array kListMethods = {
    Method{"append", nullptr},     Method{"clear", nullptr},  Method{"copy", method_copy},
    Method{"count", method_count}, Method{"extend", nullptr}, Method{"index", method_index},
    Method{"insert", nullptr},     Method{"pop", nullptr},    Method{"remove", nullptr},
    Method{"reverse", nullptr},    Method{"sort", nullptr},
};

constexpr std::array kTupleMethods = {Method{"count", method_count}, Method{"index", method_index}};

constexpr std::array kDictMethods = {
    Method{"clear", nullptr},
    Method{"copy", method_copy},
    Method{"get", method_get},
    Method{"items", method_view<DictPart::kItems>},
    Method{"keys", method_view<DictPart::kKeys>},
    Method{"pop", nullptr},
    Method{"popitem", nullptr},
    Method{"setdefault", nullptr},
    Method{"update", nullptr},
    Method{"values", method_view<DictPart::kValues>},
};

constexpr std::array kFloatMethods = {Method{"is_integer", method_is_integer}};

}  // namespace

std::span<const Method> list_methods() {
  return kListMethods;
}
std::span<const Method> tuple_methods() {
  return kTupleMethods;
}
std::span<const Method> dict_methods() {
  return kDictMethods;
}
std::span<const Method> float_methods() {
  return kFloatMethods;
}

const Method* find_method(const Value& value, std::string_view name) {
  std::span<const Method> methods;
  switch (value.kind()) {
    case Kind::kString:
      methods = string_methods();
      break;
    case Kind::kList:
      methods = list_methods();
      break;
    case Kind::kTuple:
      methods = tuple_methods();
      break;
    case Kind::kDict:
      methods = dict_methods();
      break;
    case Kind::kFloat:
      methods = float_methods();
      break;
    default:
      return nullptr;
  }
  const auto found =
      std::lower_bound(methods.begin(), methods.end(), name,
                       [](const Method& method, std::string_view wanted) { return method.name < wanted; });
  return found != methods.end() && found->name == name ? &*found : nullptr;
}

Value bind_method(const Value& self, const Method& method) {
  return Value(std::shared_ptr<Object>(std::make_shared<BoundMethod>(self, method)));
}

}  // namespace glint::jinja
