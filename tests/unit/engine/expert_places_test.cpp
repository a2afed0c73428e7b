// SPDX-License-Identifier: Apache-2.0
//
// From -ot, --cpu-moe and --n-cpu-moe to layers.
#include "engine/expert_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace glint {
namespace {

using testing::HasSubstr;

using Layers = std::vector<bool>;

class ExpertPlaces : public testing::Test {
 protected:
  ExpertPlaces() {
    spec_.d_model = spec_.n_vocab = 64;
    spec_.n_heads = 1;
    GqaSpec attention;
    attention.n_kv = 1;
    attention.d_head = 64;
    MoeSpec moe;
    moe.n_experts = 4;
    moe.d_ff = moe.d_ff_shared = 32;
    const LayerSpec dense{.attention = attention, .ffn = GluSpec{.d_ff = 64}};
    LayerSpec sparse = dense;
    moe.route.top_k = 2;
    sparse.ffn = moe;
    spec_.layers = {dense, sparse, sparse, sparse};
  }
  Layers places(int n_cpu_moe, std::vector<std::string> patterns = {}) const {
    EngineOptions options;
    options.n_cpu_moe = n_cpu_moe;
    options.tensor_places = std::move(patterns);
    return experts_on_host(spec_, options);
  }
  std::string refusal(std::vector<std::string> patterns) const {
    try {
      places(0, std::move(patterns));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  ModelSpec spec_;
};

TEST_F(ExpertPlaces, NumbersCountLayersNotThoseWithExperts) {
  EXPECT_EQ(places(0), Layers());
  EXPECT_EQ(places(1), Layers());  // the first layer has none
  EXPECT_EQ(places(2), (Layers{false, true, false, false}));
  EXPECT_EQ(places(99), (Layers{false, true, true, true}));
  EXPECT_EQ(places(-1), (Layers{false, true, true, true}));
}

TEST_F(ExpertPlaces, PatternsAreSearchedAndTheFirstCounts) {
  EXPECT_EQ(places(0, {"\\.ffn_.*_exps\\.=CPU"}), (Layers{false, true, true, true}));
  EXPECT_EQ(places(0, {"exps=CPU"}), (Layers{false, true, true, true}));
  EXPECT_EQ(places(0, {"blk\\.[23]\\.ffn_.*exps=CPU"}), (Layers{false, false, true, true}));
  EXPECT_EQ(places(0, {"blk\\.2\\.=CUDA0", "exps=CPU"}), (Layers{false, true, false, true}));
  EXPECT_EQ(places(0, {"nothing=CPU"}), Layers());
  EXPECT_EQ(places(2, {"blk\\.3\\..*exps=CPU"}), (Layers{false, true, false, true}));
}

TEST_F(ExpertPlaces, WhatCannotBeIsRefused) {
  EXPECT_THAT(refusal({"ffn_down_exps=CPU"}), HasSubstr("together"));
  EXPECT_THAT(refusal({"attn=CPU"}), HasSubstr("attn_"));
  EXPECT_THAT(refusal({"ffn_gate_inp=CPU"}), HasSubstr("only experts"));
  EXPECT_THAT(refusal({"exps"}), HasSubstr("REGEX=CPU"));
  EXPECT_THAT(refusal({"exps=DISK"}), HasSubstr("CUDA0"));
  EXPECT_THAT(refusal({"(=CPU"}), HasSubstr("regular expression"));
}

}  // namespace
}  // namespace glint
