// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/tests.h"

#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"
#include "text/jinja/string_methods.h"

namespace glint::jinja {
namespace {

template <bool (*holds)(Runtime&, const Value&)>
bool plain(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return holds(runtime, input);
}

template <Comparison op>
bool comparison(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("comparison test", arguments, {""}, 1);
  return compare(runtime, op, input, bound[0]);
}

bool is_defined(Runtime&, const Value& value) {
  return !value.undefined();
}
bool is_undefined(Runtime&, const Value& value) {
  return value.undefined();
}
bool is_none(Runtime&, const Value& value) {
  return value.none();
}
bool is_boolean(Runtime&, const Value& value) {
  return value.boolean() != nullptr;
}
bool is_true(Runtime&, const Value& value) {
  return value.boolean() != nullptr && *value.boolean();
}
bool is_false(Runtime&, const Value& value) {
  return value.boolean() != nullptr && !*value.boolean();
}
bool is_integer(Runtime&, const Value& value) {
  return value.integer() != nullptr;
}
bool is_float(Runtime&, const Value& value) {
  return value.floating() != nullptr;
}
bool is_any_number(Runtime&, const Value& value) {
  return is_number(value);
}
bool is_string(Runtime&, const Value& value) {
  return value.string() != nullptr;
}
bool is_mapping(Runtime&, const Value& value) {
  return value.dict() != nullptr;
}
bool is_escaped(Runtime&, const Value& value) {
  return value.string() != nullptr && value.string()->markup;
}
bool is_callable(Runtime&, const Value& value) {
  return value.undefined() || (value.object() != nullptr && value.object()->callable());
}

/// Has a length and items by index or key.
bool is_sequence(Runtime&, const Value& value) {
  if (const Object* object = value.object())
    return object->type_name() == "range" || object->type_name() == "_GroupTuple";
  return value.undefined() || value.string() != nullptr || value.items() != nullptr || value.dict() != nullptr;
}

bool is_lower_case(Runtime& runtime, const Value& value) {
  return has_only_case(runtime, to_text(runtime, value), false);
}
bool is_upper_case(Runtime& runtime, const Value& value) {
  return has_only_case(runtime, to_text(runtime, value), true);
}

bool is_known_filter(Runtime&, const Value& value) {
  return value.text() != nullptr && find_filter(value.text()->view()) != nullptr;
}
bool is_known_test(Runtime&, const Value& value) {
  return value.text() != nullptr && find_test(value.text()->view()) != nullptr;
}

bool has_remainder(Runtime& runtime, const Value& value, const Value& divisor, int64_t remainder) {
  return equal(runtime, arithmetic(runtime, Arithmetic::kModulo, value, divisor), Value(remainder));
}
bool is_odd(Runtime& runtime, const Value& value) {
  return has_remainder(runtime, value, Value(int64_t{2}), 1);
}
bool is_even(Runtime& runtime, const Value& value) {
  return has_remainder(runtime, value, Value(int64_t{2}), 0);
}

bool test_divisible_by(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return has_remainder(runtime, input, bound[0], 0);
}

bool test_same_as(Runtime&, const Value& input, Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  return input.same_as(bound[0]);
}

bool test_in(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("in", arguments, {"seq"}, 1);
  return contains(runtime, bound[0], input);
}

constexpr std::array kTests = {
    Test{"!=", comparison<Comparison::kNotEqual>},
    Test{"<", comparison<Comparison::kLess>},
    Test{"<=", comparison<Comparison::kLessEqual>},
    Test{"==", comparison<Comparison::kEqual>},
    Test{">", comparison<Comparison::kGreater>},
    Test{">=", comparison<Comparison::kGreaterEqual>},
    Test{"boolean", plain<is_boolean>},
    Test{"callable", plain<is_callable>},
    Test{"defined", plain<is_defined>},
    Test{"divisibleby", test_divisible_by},
    Test{"eq", comparison<Comparison::kEqual>},
    Test{"equalto", comparison<Comparison::kEqual>},
    Test{"escaped", plain<is_escaped>},
    Test{"even", plain<is_even>},
    Test{"false", plain<is_false>},
    Test{"filter", plain<is_known_filter>},
    Test{"float", plain<is_float>},
    Test{"ge", comparison<Comparison::kGreaterEqual>},
    Test{"greaterthan", comparison<Comparison::kGreater>},
    Test{"gt", comparison<Comparison::kGreater>},
    Test{"in", test_in},
    Test{"integer", plain<is_integer>},
    Test{"iterable", plain<is_iterable>},
    Test{"le", comparison<Comparison::kLessEqual>},
    Test{"lessthan", comparison<Comparison::kLess>},
    Test{"lower", plain<is_lower_case>},
    Test{"lt", comparison<Comparison::kLess>},
    Test{"mapping", plain<is_mapping>},
    Test{"ne", comparison<Comparison::kNotEqual>},
    Test{"none", plain<is_none>},
    Test{"number", plain<is_any_number>},
    Test{"odd", plain<is_odd>},
    Test{"sameas", test_same_as},
    Test{"sequence", plain<is_sequence>},
    Test{"string", plain<is_string>},
    Test{"test", plain<is_known_test>},
    Test{"true", plain<is_true>},
    Test{"undefined", plain<is_undefined>},
    Test{"upper", plain<is_upper_case>},
};

}  // namespace

const Test* find_test(std::string_view name) {
  const auto found = std::lower_bound(kTests.begin(), kTests.end(), name,
                                      [](const Test& test, std::string_view wanted) { return test.name < wanted; });
  return found != kTests.end() && found->name == name ? &*found : nullptr;
}

}  // namespace glint::jinja
