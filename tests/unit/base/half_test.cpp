// SPDX-License-Identifier: Apache-2.0
//
// base/half.h over all 65,536 bit patterns of each format: round trip, order, known values, and rounding at, just below
// and just above the middle between every two neighbours.
#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace glint {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Float16, KnownValues) {
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0x03ff), 0x1.ff8p-15f);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14f);
  EXPECT_EQ(f16_to_f32(0x3555), 0x1.554p-2f);
  EXPECT_EQ(f16_to_f32(0xc000), -2.f);
  EXPECT_EQ(f16_to_f32(0x7bff), 65504.f);
  EXPECT_EQ(f16_to_f32(0x7c00), kInfinity);
  EXPECT_EQ(f16_to_f32(0xfc00), -kInfinity);
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
}

// The value by definition, in doubles: sign, then mantissa times a power of two.
TEST(Float16, EveryPatternMeansWhatIeeeSays) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const unsigned exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value)))) << bits;
      continue;
    }
    double expected = exponent == 31  ? std::numeric_limits<double>::infinity()
                      : exponent == 0 ? std::ldexp(mantissa, -24)
                                      : std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25);
    if (bits & 0x8000) expected = -expected;
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(f32_to_f16(value), bits);
  }
}

TEST(Float16, RoundsToNearestAndTiesToEven) {
  for (unsigned bits = 0; bits < 0x7c00; ++bits) {
    const float here = f16_to_f32(static_cast<uint16_t>(bits));
    const float next = bits == 0x7bff ? 65536.f : f16_to_f32(static_cast<uint16_t>(bits + 1));
    ASSERT_LT(here, next);
    const float middle = here + (next - here) / 2;  // exact: one more bit than a half holds
    const unsigned even = bits + bits % 2;
    for (unsigned sign : {0u, 0x8000u}) {
      const float s = sign ? -1.f : 1.f;
      ASSERT_EQ(f32_to_f16(s * middle), sign | even) << bits;
      ASSERT_EQ(f32_to_f16(s * std::nextafter(middle, 0.f)), sign | bits) << bits;
      ASSERT_EQ(f32_to_f16(s * std::nextafter(middle, kInfinity)), sign | (bits + 1)) << bits;
    }
  }
}

TEST(Float16, BeyondTheRange) {
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0);  // a tie with zero, which is even
  EXPECT_EQ(f32_to_f16(0x1.000002p-25f), 1);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::denorm_min()), 0x8000);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(f32_to_f16(-kInfinity), 0xfc00);
}

TEST(BFloat16, EveryPatternRoundTrips) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value)))) << bits;
    } else {
      ASSERT_EQ(f32_to_bf16(value), bits);
    }
  }
  EXPECT_EQ(bf16_to_f32(0x3fc0), 1.5f);
  EXPECT_EQ(bf16_to_f32(0xff80), -kInfinity);
}

TEST(BFloat16, RoundsToNearestAndTiesToEven) {
  for (unsigned bits = 0; bits < 0x7f80; ++bits) {
    const uint32_t middle = (bits << 16) | 0x8000u;
    for (unsigned sign : {0u, 0x8000u}) {
      const uint32_t s = sign << 16;
      ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(s | middle)), sign | (bits + bits % 2)) << bits;
      ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(s | (middle - 1))), sign | bits) << bits;
      ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(s | (middle + 1))), sign | (bits + 1)) << bits;
    }
  }
}

}  // namespace
}  // namespace glint
