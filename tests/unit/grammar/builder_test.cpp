// SPDX-License-Identifier: Apache-2.0
#include "grammar/builder.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "grammar/machine.h"
#include "grammar/regex.h"

namespace glint::grammar {
namespace {

std::shared_ptr<const Grammar> finished(Builder& builder, Builder::Expr body) {
  const int32_t root = builder.declare("root");
  builder.define(root, body);
  return std::make_shared<const Grammar>(builder.finish(root));
}

TEST(Builder, AlternativesShareTheirBeginnings) {
  Builder builder;
  std::vector<Builder::Expr> words;
  for (int i = 0; i < 1000; ++i) words.push_back(builder.bytes("the same long beginning " + std::to_string(i)));
  const auto grammar = finished(builder, builder.alternatives(words));
  EXPECT_LT(grammar->states.size(), 24u + 2u * 1111u);
  EXPECT_TRUE(matches(grammar, "the same long beginning 999"));
  EXPECT_FALSE(matches(grammar, "the same long beginning 1000"));
}

TEST(Builder, KeepsARuleWhoseSubsetsExplodeAsItIs) {
  Builder builder;
  const Builder::Expr letter = builder.chars({{'a', 'b'}});
  std::vector<Builder::Expr> parts = {builder.repeat(letter, 0, kUnbounded), builder.bytes("a")};
  for (int i = 0; i < 18; ++i) parts.push_back(letter);  // 2^18 subsets
  const auto grammar = finished(builder, builder.sequence(parts));
  EXPECT_LT(grammar->states.size(), 500u);
  EXPECT_TRUE(matches(grammar, "bb" + std::string("a") + std::string(18, 'b')));
  EXPECT_FALSE(matches(grammar, "ab" + std::string("b") + std::string(18, 'b')));
}

TEST(Builder, NetworksAreAutomataOfExpressions) {
  Builder builder;
  Builder::Network network;
  const int32_t middle = network.add_state(), end = network.add_state();
  network.edges = {{0, middle, builder.bytes("ab")},
                   {middle, middle, builder.chars({{'x', 'z'}})},
                   {middle, end, builder.bytes("!")},
                   {0, end, builder.never()}};
  network.finals = {end};
  const auto grammar = finished(builder, builder.network(network));
  EXPECT_TRUE(matches(grammar, "ab!"));
  EXPECT_TRUE(matches(grammar, "abxyz!"));
  EXPECT_FALSE(matches(grammar, "ab"));
  EXPECT_FALSE(matches(grammar, ""));
}

TEST(Builder, WritesAutomataAsJsonStrings) {
  Builder builder;
  const auto grammar = finished(builder, builder.automaton(regex_full_match("[^]{2}"), Encoding::kJsonString));
  for (const char* text : {"ab", "\\\"a", "\\\\\\n", "\\u001f\\u0001", "\\u000A/", "é\x7F", "\\b\\f"}) {
    EXPECT_TRUE(matches(grammar, text)) << text;
  }
  for (const char* text : {"a", "abc", "\"a", "\\a", "\n\n", "\\u0041b", "\\u0020b",
                           "\xED\xA0\x80"
                           "a"}) {
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

TEST(Builder, RefusesWhatHasNoTextAndWhatIsTooLarge) {
  Builder builder;
  EXPECT_THROW(finished(builder, builder.sequence({builder.bytes("a"), builder.never()})), ImpossibleGrammar);
  Builder optional;
  EXPECT_TRUE(matches(finished(optional, optional.optional(optional.never())), ""));
  Builder small({.max_states = 10, .max_edges = 1000});
  EXPECT_THROW(finished(small, small.bytes("longer than ten bytes")), Error);
}

}  // namespace
}  // namespace glint::grammar
