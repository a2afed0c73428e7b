// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text.h"

#include <gtest/gtest.h>

#include "text/jinja/characters.h"
#include "text/jinja/search.h"

namespace glint::jinja {
namespace {

/// The text with untrusted stretches in brackets.
std::string marked(const Text& text) {
  std::string out;
  text.for_each_run(0, text.size(), [&](std::string_view run, bool trusted) {
    out += trusted ? std::string(run) : "[" + std::string(run) + "]";
  });
  return out;
}

Text mixed(std::initializer_list<std::pair<std::string_view, bool>> runs) {
  TextBuilder builder(nullptr);
  for (const auto& [run, trusted] : runs) builder.append(run, trusted);
  return builder.take();
}

TEST(JinjaText, RunsOfOneOriginMerge) {
  EXPECT_EQ(marked(mixed({{"a", true}, {"b", true}, {"c", false}, {"", true}, {"d", false}, {"e", true}})), "ab[cd]e");
  EXPECT_EQ(marked(mixed({{"", false}, {"a", true}})), "a");
  EXPECT_EQ(marked(mixed({})), "");
  EXPECT_EQ(marked(mixed({{"a", false}})), "[a]");
}

TEST(JinjaText, SlicesKeepTheMarks) {
  const Text text = mixed({{"ab", true}, {"cd", false}, {"ef", true}, {"gh", false}});
  EXPECT_EQ(marked(text.slice(0, 8)), "ab[cd]ef[gh]");
  EXPECT_EQ(marked(text.slice(1, 3)), "b[c]");
  EXPECT_EQ(marked(text.slice(2, 4)), "[cd]");
  EXPECT_EQ(marked(text.slice(3, 5)), "[d]e");
  EXPECT_EQ(marked(text.slice(4, 6)), "ef");
  EXPECT_EQ(marked(text.slice(6, 8)), "[gh]");
  EXPECT_EQ(marked(text.slice(5, 5)), "");
}

TEST(JinjaText, TrustIsAllOrNothing) {
  EXPECT_TRUE(Text("", false).fully_trusted());
  EXPECT_TRUE(Text("a", true).fully_trusted());
  EXPECT_FALSE(Text("a", false).fully_trusted());
  EXPECT_FALSE(mixed({{"a", true}, {"b", false}}).fully_trusted());
}

TEST(JinjaText, OffsetsCountCodePoints) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += i % 3 == 0 ? "x" : i % 3 == 1 ? "é" : "🙂";
  const Text text(bytes, true);
  ASSERT_EQ(text.n_points(), 1000u);
  size_t offset = 0;
  for (size_t point = 0; point <= 1000; ++point) {
    ASSERT_EQ(text.offset_of(point), offset) << point;
    ASSERT_EQ(text.points_before(offset), point);
    if (offset < bytes.size()) next_point(bytes, offset);
  }
}

TEST(JinjaText, CaseMappingsAreFull) {
  EXPECT_EQ(upper("straße ŉ ﬁ"), "STRASSE ʼN FI");
  EXPECT_EQ(lower("İΣ ΑΣ ΑΣΑ Σ"), "i̇ς ας ασα σ");
  EXPECT_EQ(title("ǆ ﬁx they're"), "ǅ Fix They'Re");
  EXPECT_EQ(capitalize("ÉCOLE"), "École");
  EXPECT_EQ(fold_case("Straße"), "strasse");
  EXPECT_EQ(swap_case("aBß"), "AbSS");
}

TEST(JinjaText, SpaceIsPythons) {
  const std::string text = "\t\x1c\u0085\u00a0\u1680\u2003\u2028\u202f\u3000x\u200b \n";
  EXPECT_EQ(text[skip_space(text)], 'x');
  EXPECT_EQ(text.substr(0, trim_end(text)).substr(skip_space(text)), "x\u200b");
  EXPECT_EQ(trim_end(" \n"), 0u);
}

TEST(JinjaText, InvalidUtf8IsFound) {
  EXPECT_EQ(find_invalid_utf8("añ🙂"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\x80"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);
  EXPECT_EQ(find_invalid_utf8("x\xf0\x9f\x99"), 1u);
}

TEST(JinjaText, SearchFindsFirstAndLast) {
  Meter meter{RenderLimits{}};
  EXPECT_EQ(find_text("abcabc", "bc", 0), 1u);
  EXPECT_EQ(find_text("abcabc", "bc", 2), 4u);
  EXPECT_EQ(find_text("abcabc", "bc", 5), std::string_view::npos);
  EXPECT_EQ(find_text("", "", 0), 0u);
  EXPECT_EQ(find_text("", "x", 0), std::string_view::npos);
  EXPECT_EQ(find_last_text(meter, "abcabc", "bc", 6), 4u);
  EXPECT_EQ(find_last_text(meter, "abcabc", "bc", 5), 1u);
}

TEST(JinjaText, BuildersChargeWhileTheyLive) {
  RenderLimits limits;
  limits.max_live_bytes = 100;
  Meter meter(limits);
  for (int round = 0; round < 3; ++round) {
    TextBuilder builder(&meter);
    builder.append_repeated('x', 100, true);
    EXPECT_THROW(builder.append("y", true), Error);
  }
  TextBuilder builder(&meter);
  builder.append_repeated('x', 100, true);
  EXPECT_EQ(builder.take().size(), 100u);
  EXPECT_NO_THROW(TextBuilder(&meter).append_repeated('x', 100, true));
}

}  // namespace
}  // namespace glint::jinja
