// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "text/jinja/json.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

Value string(std::string_view text) {
  return make_string(nullptr, text, true);
}
Value integer(int64_t value) {
  return Value(value);
}

std::string repr(const Value& value) {
  Runtime runtime(RenderLimits{}, std::tm{});
  TextBuilder out(nullptr);
  write_repr(runtime, out, value);
  return out.take().bytes();
}

TEST(JinjaValue, EqualKeysKeepTheFirstPlaceAndTheLastValue) {
  const Value dict = make_dict(nullptr, {{integer(1), string("a")},
                                         {string("k"), string("b")},
                                         {Value(true), string("c")},
                                         {Value(1.0), string("d")},
                                         {string("k"), string("e")}});
  EXPECT_EQ(repr(dict), "{1: 'd', 'k': 'e'}");
}

TEST(JinjaValue, BigDictsFindEveryKey) {
  std::vector<Dict::Entry> entries;
  for (int64_t i = 0; i < 1000; ++i) entries.emplace_back(string(std::to_string(i * 7919 % 1000)), integer(i));
  for (int64_t i = 0; i < 1000; ++i) entries.emplace_back(integer(i), integer(-i));
  entries.emplace_back(None(), integer(5));
  const Value dict = make_dict(nullptr, std::move(entries));
  for (int64_t i = 0; i < 1000; ++i) {
    const Value* by_text = dict.dict()->find(std::to_string(i * 7919 % 1000));
    const Value* by_number = dict.dict()->find(Value(static_cast<double>(i)));
    ASSERT_TRUE(by_text != nullptr && by_number != nullptr);
    EXPECT_EQ(*by_text->integer(), i);
    EXPECT_EQ(*by_number->integer(), -i);
  }
  EXPECT_EQ(*dict.dict()->find(None())->integer(), 5);
  EXPECT_EQ(dict.dict()->find("x"), nullptr);
  EXPECT_EQ(dict.dict()->find(Value(0.5)), nullptr);
}

TEST(JinjaValue, NumbersCompareExactly) {
  const int64_t big = (int64_t{1} << 53) + 1;
  EXPECT_EQ(compare_numbers(integer(big), Value(0x1p53)), 1);
  EXPECT_EQ(compare_numbers(Value(0x1p53), integer(big)), -1);
  EXPECT_EQ(compare_numbers(integer(std::numeric_limits<int64_t>::max()), Value(0x1p63)), -1);
  EXPECT_EQ(compare_numbers(integer(std::numeric_limits<int64_t>::min()), Value(-0x1p63)), 0);
  EXPECT_EQ(compare_numbers(integer(3), Value(3.5)), -1);
  EXPECT_EQ(compare_numbers(integer(-3), Value(-3.5)), 1);
  EXPECT_EQ(compare_numbers(Value(true), Value(1.0)), 0);
  EXPECT_EQ(compare_numbers(integer(0), Value(std::nan(""))), 2);
}

TEST(JinjaValue, FloatsPrintAsPythonsRepr) {
  EXPECT_EQ(float_repr(0.1), "0.1");
  EXPECT_EQ(float_repr(1.0), "1.0");
  EXPECT_EQ(float_repr(-0.0), "-0.0");
  EXPECT_EQ(float_repr(1e15), "1000000000000000.0");
  EXPECT_EQ(float_repr(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(float_repr(1e16), "1e+16");
  EXPECT_EQ(float_repr(1.5e300), "1.5e+300");
  EXPECT_EQ(float_repr(0.0001), "0.0001");
  EXPECT_EQ(float_repr(0.00001), "1e-05");
  EXPECT_EQ(float_repr(5e-324), "5e-324");
  EXPECT_EQ(float_repr(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(float_repr(-HUGE_VAL), "-inf");
  EXPECT_EQ(float_repr(std::nan("")), "nan");
}

TEST(JinjaValue, StringsQuoteAsPythonsRepr) {
  EXPECT_EQ(repr(string("it's")), "\"it's\"");
  EXPECT_EQ(repr(string("it's \"x\"")), "'it\\'s \"x\"'");
  EXPECT_EQ(repr(string("\n\t\\\x01\x7f é\u00a0\u200b🙂")), "'\\n\\t\\\\\\x01\\x7f é\\xa0\\u200b🙂'");
  EXPECT_EQ(repr(make_tuple(nullptr, {integer(1)})), "(1,)");
}

TEST(JinjaValue, NestingIsBounded) {
  Value value = integer(1);
  for (int i = 0; i < kMaxValueDepth; ++i) value = make_list(nullptr, {value});
  EXPECT_EQ(depth_of(value), kMaxValueDepth);
  EXPECT_THROW(make_list(nullptr, {value}), Error);
  EXPECT_THROW(make_dict(nullptr, {{string("k"), value}}), Error);
}

TEST(JinjaValue, DeadValuesGiveTheirBytesBack) {
  RenderLimits limits;
  limits.max_live_bytes = 1000;
  Runtime runtime(limits, std::tm{});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(runtime.text(std::string(500, 'x'), true).text()->size(), 500u);
  const Value held = runtime.text(std::string(500, 'x'), true);
  EXPECT_THROW(runtime.text(std::string(500, 'x'), true), Error);
}

}  // namespace
}  // namespace glint::jinja
