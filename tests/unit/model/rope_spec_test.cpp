// SPDX-License-Identifier: Apache-2.0
//
// Frequencies and scales of RoPE from a file's keys, against values worked out by hand from the papers' formulas.
#include "model/arch/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::Instance;
using golden::OwnedFile;

RopeSpec read(const EditedFile& file, int n_dims = 8) {
  const OwnedFile owned = file.build();
  return rope_spec(Keys(owned.file), n_dims, true);
}

EditedFile with_base(float base) { return golden::glm_flash_header().set_float("deepseek2.rope.freq_base", base); }

TEST(RopeSpec, PlainFrequencies) {
  const RopeSpec rope = read(with_base(10000));
  ASSERT_EQ(rope.inverse_frequency.size(), 4u);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[0], 1);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[1], 0.1f);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[3], 0.001f);
  EXPECT_EQ(rope.scale, 1);
  EXPECT_TRUE(rope.interleaved);
}

TEST(RopeSpec, LinearWithAndWithoutItsName) {
  EditedFile file = with_base(10000);
  file.set_float("deepseek2.rope.scaling.factor", 4);
  EXPECT_FLOAT_EQ(read(file).inverse_frequency[1], 0.025f);  // files older than the type's key
  file.set_text("deepseek2.rope.scaling.type", "linear");
  EXPECT_FLOAT_EQ(read(file).inverse_frequency[1], 0.025f);
  file.set_text("deepseek2.rope.scaling.type", "none");
  EXPECT_FLOAT_EQ(read(file).inverse_frequency[1], 0.1f);
  EditedFile oldest = with_base(10000);
  oldest.set_float("deepseek2.rope.scale_linear", 2);
  EXPECT_FLOAT_EQ(read(oldest).inverse_frequency[1], 0.05f);
  EditedFile zero = with_base(10000);
  zero.set_float("deepseek2.rope.scaling.factor", 0);
  EXPECT_FLOAT_EQ(read(zero).inverse_frequency[1], 0.1f);
}

/// Base 10000 over 64 dimensions, factor 8, original context 4096: with beta_fast 32 the blend begins at dimension
/// floor(64 ln(4096 / (32 * 2 pi)) / (2 ln 10000)) = floor(10.47) = 10 and with beta_slow 1 it ends at ceil(22.51) = 23.
TEST(RopeSpec, YarnBlends) {
  EditedFile file = with_base(10000);
  file.set_text("deepseek2.rope.scaling.type", "yarn").set_float("deepseek2.rope.scaling.factor", 8);
  file.set("deepseek2.rope.scaling.original_context_length", 4096);
  const RopeSpec rope = read(file, 64);
  const auto original = [](int i) { return std::pow(10000.0, -2.0 * i / 64); };
  for (const int i : {0, 5, 10}) EXPECT_NEAR(rope.inverse_frequency[static_cast<size_t>(i)] / original(i), 1, 1e-6);
  for (const int i : {23, 31}) EXPECT_NEAR(rope.inverse_frequency[static_cast<size_t>(i)] / original(i), 0.125, 1e-6);
  EXPECT_NEAR(rope.inverse_frequency[12] / original(12), 1 - 2.0 / 13 * (1 - 0.125), 1e-6);
  EXPECT_NEAR(rope.scale, 0.1 * std::log(8.0) + 1, 1e-6);
  file.set_float("deepseek2.rope.scaling.attn_factor", 0.5f);
  EXPECT_NEAR(read(file, 64).scale, 0.5 * (0.1 * std::log(8.0) + 1), 1e-6);
  file.set_float("deepseek2.rope.scaling.factor", 1);
  EXPECT_NEAR(read(file, 64).scale, 0.5, 1e-6);
  // Without the key, the original context is the one trained for: nearly all frequencies turn often enough.
  file.drop_key("deepseek2.rope.scaling.original_context_length").set_float("deepseek2.rope.scaling.factor", 8);
  EXPECT_NEAR(read(file, 64).inverse_frequency[20] / original(20), 1, 1e-6);
}

TEST(RopeSpec, EveryFrequencyIsANumber) {
  for (const uint32_t context : {1u, 2u, 6u, 7u, 1u << 30}) {
    for (const float beta : {1e-3f, 1.0f, 1e6f}) {
      for (const float base : {2.0f, 1e6f, 1e12f}) {
        EditedFile file = with_base(base);
        file.set_text("deepseek2.rope.scaling.type", "yarn").set_float("deepseek2.rope.scaling.factor", 40);
        file.set("deepseek2.rope.scaling.original_context_length", context).set_float("deepseek2.rope.scaling.yarn_beta_fast", beta);
        for (const float frequency : read(file, 64).inverse_frequency) {
          EXPECT_TRUE(std::isfinite(frequency) && frequency > 0) << context << " " << beta << " " << base;
        }
      }
    }
  }
}

class LongRope : public golden::Test {};

/// The set of frequencies is fixed by the context that a decoder is made for.
TEST_F(LongRope, LongFactorsFromAnExtendedContextOn) {
  const std::vector<int32_t> ids = golden::prompt_ids("phi3_longrope", "p64");
  const auto run = [&](const EditedFile& file, int n_ctx) {
    DecoderOptions options = golden::exact_options();
    options.n_ctx = n_ctx;
    Instance instance(file.build(), options);
    return instance.feed(ids);
  };
  const EditedFile file = golden::edit("phi3_longrope");
  // The same model with the long set in the place of the short one.
  EditedFile swapped = file;
  const std::vector<float> divisors = golden::floats_of(file.tensor("rope_factors_long.weight"));
  swapped.put_floats("rope_factors_short.weight", {static_cast<int64_t>(divisors.size())}, divisors);
  const std::vector<float> at_original = run(file, 256);
  EXPECT_EQ(run(file, 64), at_original);
  EXPECT_EQ(run(file, 257), run(swapped, 256));
  EXPECT_GT(golden::largest_difference(run(file, 257), at_original), 0.01);
}

TEST_F(LongRope, AttentionFactorIsWorkedOutWhereTheFileHasNone) {
  EditedFile file = golden::edit("phi3_longrope");
  const float written = file.build().file.metadata().number("phi3.rope.scaling.attn_factor");
  file.drop_key("phi3.rope.scaling.attn_factor");
  const OwnedFile owned = file.build();
  const CheckedModel checked = check_model(owned.file);
  EXPECT_NEAR(std::get<GqaSpec>(checked.spec.layers[0].attention).rope.scale, written, 1e-6);
}

}  // namespace
}  // namespace glint
