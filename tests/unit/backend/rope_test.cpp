// SPDX-License-Identifier: Apache-2.0
//
// Rotary embedding of the reference backend: both pairings by hand, lengths kept, dot products that depend on the
// distance alone, and the rounding of the angle that models were trained with.
#include <gmock/gmock.h>

#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

class RefRope : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend = make_ref_backend();
  std::vector<float> rotate(std::vector<float> x, int position, const RopeParams& params) {
    const int32_t at = position;
    backend->rope(Tensor::matrix(x.data(), 1, static_cast<int>(x.size())), &at, params);
    return x;
  }
};

constexpr float kQuarter = 1.57079632679f;

TEST_F(RefRope, PairsAreAdjacentOrHalves) {
  const std::vector<float> turns = {kQuarter, 2 * kQuarter};  // at position 1 a quarter and a half turn
  const auto near = [](float v) { return FloatNear(v, 1e-6f); };
  EXPECT_THAT(rotate({1, 2, 3, 4, 9}, 1, {4, true, 1, turns.data()}),
              ElementsAre(near(-2), near(1), near(-3), near(-4), 9));
  EXPECT_THAT(rotate({1, 2, 3, 4, 9}, 1, {4, false, 1, turns.data()}),
              ElementsAre(near(-3), near(-2), near(1), near(-4), 9));
}

TEST_F(RefRope, PositionZeroAndScale) {
  const std::vector<float> turns = {0.3f};
  EXPECT_THAT(rotate({1, 2}, 0, {2, true, 1, turns.data()}), ElementsAre(1, 2));
  EXPECT_THAT(rotate({1, 2, 7}, 0, {2, true, 1.5f, turns.data()}), ElementsAre(1.5f, 3, 7));
}

TEST_F(RefRope, EveryHeadAndEachRowByItsPosition) {
  std::vector<float> x = {1, 0, 1, 0, 1, 0, 1, 0};  // [2 rows, 2 heads, 2]
  const std::vector<float> turns = {kQuarter};
  const std::vector<int32_t> positions = {1, 2};
  backend->rope(Tensor::matrix(x.data(), 2, 4).split_heads(2), positions.data(), {2, false, 1, turns.data()});
  const auto near = [](float v) { return FloatNear(v, 1e-6f); };
  EXPECT_THAT(x, ElementsAre(near(0), 1, near(0), 1, -1, near(0), -1, near(0)));
}

/// q at m and k at n: the product depends on m - n alone, up to the rounding of angles below 400 (2^-16 each).
TEST_F(RefRope, ProductsDependOnDistance) {
  const std::vector<float> turns = {1, 0.1f, 0.01f};
  const std::vector<float> q = random_values(6, 1), k = random_values(6, 2);
  const auto product = [&](int m, int n) {
    const auto a = rotate(q, m, {6, true, 1, turns.data()}), b = rotate(k, n, {6, true, 1, turns.data()});
    double sum = 0;
    for (size_t i = 0; i < 6; ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  };
  EXPECT_NEAR(product(300, 293), product(7, 0), 6 * 2 * 0x1p-16);
  EXPECT_GT(std::abs(product(300, 292) - product(7, 0)), 0.01);
}

TEST_F(RefRope, TheAngleIsAnF32Product) {
  const std::vector<float> turns = {0.7f};
  const int position = 100003;
  const float angle = 100003.0f * 0.7f;  // off the exact product by up to 2^-8
  EXPECT_GT(std::abs(static_cast<double>(angle) - 100003.0 * static_cast<double>(0.7f)), 1e-4);
  EXPECT_THAT(rotate({1, 0}, position, {2, true, 1, turns.data()}),
              ElementsAre(static_cast<float>(std::cos(static_cast<double>(angle))),
                          static_cast<float>(std::sin(static_cast<double>(angle)))));
}

}  // namespace
}  // namespace glint::backend_test
