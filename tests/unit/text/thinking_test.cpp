// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

ThinkingSplit split(std::string_view text, bool inside, size_t piece) {
  ThinkingSplitter splitter(inside);
  ThinkingSplit all;
  for (size_t at = 0; at < text.size(); at += piece) {
    const ThinkingSplit part = splitter.push(text.substr(at, piece));
    all.thinking += part.thinking;
    all.answer += part.answer;
  }
  const ThinkingSplit rest = splitter.finish();
  return {all.thinking + rest.thinking, all.answer + rest.answer};
}

TEST(Thinking, SplitsAtTheClosingTagWhateverThePieces) {
  for (size_t piece = 1; piece < 20; ++piece) {
    const ThinkingSplit got = split("plan</think>answer", true, piece);
    EXPECT_EQ(got.thinking, "plan") << piece;
    EXPECT_EQ(got.answer, "answer") << piece;
  }
}

TEST(Thinking, WithoutTagsAllIsAnswerOrAllIsThinking) {
  EXPECT_EQ(split("answer", false, 2).answer, "answer");
  EXPECT_EQ(split("answer", false, 2).thinking, "");
  EXPECT_EQ(split("cut off", true, 3).thinking, "cut off");
}

TEST(Thinking, OpensByItselfAndAgain) {
  for (size_t piece = 1; piece < 30; ++piece) {
    const ThinkingSplit got = split("<think>a</think>\n\nb<think>c</think>d", false, piece);
    EXPECT_EQ(got.thinking, "ac") << piece;
    EXPECT_EQ(got.answer, "bd") << piece;
  }
}

TEST(Thinking, StrayTagsAreNeverText) {
  EXPECT_EQ(split("x</think>y", false, 4).answer, "xy");
  EXPECT_EQ(split("a<think>b</think>c", true, 5).thinking, "ab");
}

TEST(Thinking, WhatOnlyLooksLikeATagIsText) {
  EXPECT_EQ(split("1 < 2 <thin <", false, 1).answer, "1 < 2 <thin <");
}

TEST(Thinking, PromptEnd) {
  EXPECT_TRUE(ends_inside_thinking("<|assistant|><think>\n"));
  EXPECT_FALSE(ends_inside_thinking("<|assistant|></think>"));
  EXPECT_FALSE(ends_inside_thinking(""));
}

}  // namespace
}  // namespace glint
