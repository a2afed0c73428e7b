// SPDX-License-Identifier: Apache-2.0
//
// Hyperparameters out of range, of the wrong type or at odds with each other are refused by name and value, before
// anything is sized by them.
#include "model/arch/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "model/load.h"
#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::OwnedFile;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const EditedFile& edited) {
  try {
    const OwnedFile owned = edited.build();
    check_model(owned.file);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class KeysOfEveryModel : public golden::Test, public testing::WithParamInterface<std::string> {
 protected:
  std::string architecture() const { return std::string(golden::source(GetParam()).metadata().string("general.architecture")); }
};

constexpr const char* kCounts[] = {"block_count",      "attention.head_count", "attention.head_count_kv", "embedding_length",
                                   "expert_count",     "expert_used_count",    "context_length"};

TEST_P(KeysOfEveryModel, BadCountsAreNamedWithTheirValue) {
  for (const char* name : kCounts) {
    const std::string key = architecture() + "." + name;
    const bool is_dense = !golden::source(GetParam()).metadata().contains(architecture() + ".expert_count");
    const bool zero_is_none = is_dense && std::string(name).starts_with("expert");
    if (!zero_is_none) {
      EXPECT_THAT(refusal(golden::edit(GetParam()).set(key, 0)), AllOf(HasSubstr(key), HasSubstr(" 0"))) << key;
    }
    EXPECT_THAT(refusal(golden::edit(GetParam()).set(key, 1u << 31)), AllOf(HasSubstr(key), HasSubstr("2147483648"))) << key;
    EXPECT_THAT(refusal(golden::edit(GetParam()).set_signed(key, -1)), AllOf(HasSubstr(key), HasSubstr("-1"))) << key;
    EXPECT_THAT(refusal(golden::edit(GetParam()).set_text(key, "x")), AllOf(HasSubstr(key), HasSubstr("\"x\""))) << key;
    EXPECT_THAT(refusal(golden::edit(GetParam()).set_float(key, 1.5f)), AllOf(HasSubstr(key), HasSubstr("1.5"))) << key;
    EXPECT_THAT(refusal(golden::edit(GetParam()).set_texts(key, {"x"})), AllOf(HasSubstr(key), HasSubstr("array"))) << key;
  }
}

/// Whatever number a key has, the answer is a model or an Error: no crash, no endless loop, no giant allocation. Run under
/// the sanitizers this also finds overflow.
TEST_P(KeysOfEveryModel, NoNumberBreaksTheReader) {
  const EditedFile whole = golden::edit(GetParam());
  for (const auto& entry : golden::source(GetParam()).metadata().entries()) {
    const std::string key(entry.key);
    if (!key.starts_with(architecture() + ".")) continue;
    for (const uint32_t value : {0u, 1u, 2u, 3u, 7u, 255u, 4096u, 65535u, 65536u, 1u << 20, 1u << 24, 0x7fffffffu, 0xffffffffu}) {
      refusal(EditedFile(whole).set(key, value));
    }
    refusal(EditedFile(whole).set_signed(key, INT32_MIN));
    for (const float value : {-1.0f, 1e-30f, 1e30f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
      refusal(EditedFile(whole).set_float(key, value));
    }
    refusal(EditedFile(whole).drop_key(key));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, KeysOfEveryModel, testing::ValuesIn(golden::names()));

class KeysTogether : public golden::Test {};

TEST_F(KeysTogether, MoreExpertsUsedThanThereAre) {
  for (const char* name : {"glm4_moe_lite", "glm4_moe", "gpt_oss", "qwen3_moe"}) {
    const std::string architecture(golden::source(name).metadata().string("general.architecture"));
    const std::string message = refusal(golden::edit(name).set(architecture + ".expert_used_count", 9));
    EXPECT_THAT(message, AllOf(HasSubstr(architecture + ".expert_used_count is 9"), HasSubstr(architecture + ".expert_count is ")));
  }
  // A dense file that claims to use experts.
  EXPECT_THAT(refusal(golden::edit("qwen2").set("qwen2.expert_used_count", 2)), HasSubstr("qwen2.expert_count is 0"));
}

TEST_F(KeysTogether, GroupsOfExperts) {
  EXPECT_THAT(refusal(golden::edit("deepseek_v3").set("deepseek2.expert_group_count", 3)),
              HasSubstr("deepseek2.expert_group_count is 3; expected a divisor of the 8 experts"));
  EXPECT_THAT(refusal(golden::edit("deepseek_v3").set("deepseek2.expert_group_used_count", 5)),
              HasSubstr("deepseek2.expert_group_used_count is 5"));
  // Three experts out of one group of two.
  EXPECT_THAT(refusal(golden::edit("deepseek_v3").set("deepseek2.expert_group_used_count", 1)),
              HasSubstr("deepseek2.expert_used_count is 3; expected at most 2"));
}

TEST_F(KeysTogether, Heads) {
  EXPECT_THAT(refusal(golden::edit("llama").set("llama.attention.head_count_kv", 3)), HasSubstr("llama.attention.head_count_kv is 3"));
  EXPECT_THAT(refusal(golden::edit("qwen2").set("qwen2.attention.head_count", 3).set("qwen2.attention.head_count_kv", 1)),
              HasSubstr("qwen2.attention.head_count is 3, which does not divide"));
  EXPECT_THAT(refusal(golden::edit("llama").set("llama.attention.value_length", 32)), HasSubstr("expected equal lengths"));
  EXPECT_THAT(refusal(golden::edit("llama").set("llama.rope.dimension_count", 63)), HasSubstr("llama.rope.dimension_count is 63"));
  EXPECT_THAT(refusal(golden::edit("llama").set("llama.rope.dimension_count", 66)), HasSubstr("llama.rope.dimension_count is 66"));
  // MLA: a head must be wider than its rotated part.
  EXPECT_THAT(refusal(golden::edit("glm4_moe_lite").set("deepseek2.attention.key_length_mla", 16)),
              HasSubstr("deepseek2.attention.key_length_mla is 16; expected a whole number from 17"));
}

TEST_F(KeysTogether, MissingKeysAreNamed) {
  for (const char* name : {"block_count", "embedding_length", "attention.head_count", "context_length", "feed_forward_length",
                           "attention.layer_norm_rms_epsilon", "attention.kv_lora_rank", "rope.dimension_count", "expert_used_count"}) {
    const std::string key = std::string("deepseek2.") + name;
    EXPECT_THAT(refusal(golden::edit("glm4_moe_lite").drop_key(key)), AllOf(HasSubstr(key), HasSubstr("missing")));
  }
  EXPECT_THAT(refusal(golden::edit("llama").drop_key("general.architecture")), HasSubstr("general.architecture is missing"));
}

TEST_F(KeysTogether, UnknownRopeScaling) {
  EXPECT_THAT(refusal(golden::edit("llama").set_text("llama.rope.scaling.type", "dynamic")),
              AllOf(HasSubstr("llama.rope.scaling.type is \"dynamic\""), HasSubstr("yarn")));
}

TEST_F(KeysTogether, DivisorsOfFrequenciesMustBePositive) {
  std::vector<float> divisors(32, 1.0f);
  for (const float bad : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    divisors[7] = bad;
    EXPECT_THAT(refusal(golden::edit("llama").put_floats("rope_freqs.weight", {32}, divisors)), HasSubstr("rope_freqs.weight holds"));
  }
  EXPECT_THAT(refusal(golden::edit("llama").put_floats("rope_freqs.weight", {31}, std::vector<float>(31, 1.0f))),
              HasSubstr("rope_freqs.weight has 31 values"));
}

TEST(Keys, SomeBlockHas) {
  const OwnedFile owned = golden::glm_flash_header().put_floats("blk.12.attn_q.bias", {1}, {0}).put_floats("blk.x.attn_v.bias", {1}, {0})
                              .put_floats("blk.3.more.attn_k.bias", {1}, {0}).build();
  const Keys keys(owned.file);
  EXPECT_TRUE(keys.some_block_has("attn_q.bias"));
  EXPECT_FALSE(keys.some_block_has("q.bias"));
  EXPECT_FALSE(keys.some_block_has("attn_v.bias"));
  EXPECT_FALSE(keys.some_block_has("attn_k.bias"));
  EXPECT_FALSE(keys.some_block_has("12.attn_q.bias"));
}

}  // namespace
}  // namespace glint
