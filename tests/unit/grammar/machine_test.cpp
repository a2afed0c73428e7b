// SPDX-License-Identifier: Apache-2.0
#include "grammar/machine.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "grammar/gbnf.h"

namespace glint::grammar {
namespace {

std::shared_ptr<const Grammar> gbnf(const char* text) {
  return std::make_shared<const Grammar>(compile_gbnf(text));
}

Machine::Config read(Machine& machine, Machine::Config at, std::string_view text) {
  for (const char c : text) at = machine.step(at, static_cast<uint8_t>(c));
  return at;
}

TEST(Machine, EqualPlacesAreOneConfiguration) {
  Machine machine(gbnf("root ::= list\nlist ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [0-9]+ | list"));
  const Machine::Config a = read(machine, machine.start(), "[1"), b = read(machine, machine.start(), "[[],22,3456");
  EXPECT_EQ(a, b);
  EXPECT_NE(a, read(machine, machine.start(), "[[1"));
  EXPECT_EQ(read(machine, machine.start(), "[1]x"), Machine::kDead);
  EXPECT_EQ(machine.step(Machine::kDead, 'x'), Machine::kDead);
  EXPECT_FALSE(machine.complete(a));
  EXPECT_TRUE(machine.complete(read(machine, a, "]")));
}

TEST(Machine, ForgetsAndGoesOn) {
  Machine machine(gbnf("root ::= \"(\" root \")\" | [a-z]{2,50}"));
  Machine::Config outer = read(machine, machine.start(), "((((ab"), inner = read(machine, outer, "cdefg");
  read(machine, outer, std::string(40, 'x'));
  const size_t before = machine.n_configs();
  Machine::Config* const kept[] = {&outer, &inner};
  machine.forget_all_but(kept);
  EXPECT_LT(machine.n_configs(), before / 4);
  EXPECT_TRUE(machine.complete(read(machine, inner, "h))))")));
  EXPECT_TRUE(machine.complete(read(machine, outer, std::string(48, 'x') + "))))")));
  EXPECT_EQ(read(machine, outer, std::string(49, 'x')), Machine::kDead);
  EXPECT_EQ(read(machine, outer, ")))))"), Machine::kDead);
}

TEST(Machine, NeverEntersWhatItCannotLeaveWithinItsDepth) {
  // The second way needs two more frames than the first.
  const auto grammar = gbnf(
      "root ::= \"a\" root \"b\" | \"x\" | \"y\" deep \"z\"\ndeep ::= \"(\" deeper \")\"* \"]\"\ndeeper ::= \"(\" deep "
      "\")\" | [0-9]+");
  Machine machine(grammar, {.max_depth = 6});
  Machine::Config at = machine.start();
  int depth = 0;
  for (; machine.step(at, 'a') != Machine::kDead; ++depth) at = machine.step(at, 'a');
  EXPECT_GE(depth, 3);
  EXPECT_LE(depth, 6);
  at = read(machine, at, "x" + std::string(static_cast<size_t>(depth), 'b'));
  EXPECT_TRUE(machine.complete(at));
}

TEST(Machine, CountsWorkPerOperation) {
  Machine machine(gbnf("root ::= [a-z]{0,100000}"), {.max_work = 2000});
  Machine::Config at = machine.start();
  for (int i = 0; i < 5000; ++i) {
    machine.begin_operation();
    at = machine.step(at, 'a');
  }
  EXPECT_NE(at, Machine::kDead);
  EXPECT_THROW(read(machine, at, std::string(5000, 'a')), Error);
}

}  // namespace
}  // namespace glint::grammar
