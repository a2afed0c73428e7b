// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling_params.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace glint {
namespace {

TEST(SamplingParams, RequestOverFlagOverFileOverDefault) {
  gguf::Metadata metadata("model.gguf");
  metadata.apply_override("general.sampling.temp=float:1.5");
  metadata.apply_override("general.sampling.top_p=float:0.5");
  metadata.apply_override("general.sampling.top_k=int:7");
  SamplingParams flags, request;
  flags.top_p = 0.6f;
  flags.top_k = 8;
  request.top_k = 9;
  const ResolvedSampling got = resolve_sampling(request, flags, metadata);
  EXPECT_EQ(*got.params.temperature, 1.5f);
  EXPECT_EQ(got.origins.at("temperature"), SettingOrigin::kMetadata);
  EXPECT_EQ(*got.params.top_p, 0.6f);
  EXPECT_EQ(got.origins.at("top_p"), SettingOrigin::kFlag);
  EXPECT_EQ(*got.params.top_k, 9);
  EXPECT_EQ(got.origins.at("top_k"), SettingOrigin::kRequest);
  EXPECT_EQ(*got.params.min_p, 0.05f);
  EXPECT_EQ(got.origins.at("min_p"), SettingOrigin::kDefault);
}

TEST(SamplingParams, SeedsKeepAllTheirBits) {
  SamplingParams request;
  request.seed = 9007199254740993;  // 2^53 + 1
  EXPECT_EQ(*resolve_sampling(request, {}, gguf::Metadata("x")).params.seed, 9007199254740993);
}

TEST(SamplingParams, BadValuesAreNamed) {
  SamplingParams request;
  request.top_p = 1.5f;
  try {
    resolve_sampling(request, {}, gguf::Metadata("x"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("top_p is 1.5"), std::string::npos) << error.what();
  }
}

TEST(SamplingParams, Orders) {
  EXPECT_EQ(parse_samplers("penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"),
            parse_sampler_letters("edskypmxt"));
  EXPECT_EQ(parse_samplers("top_k").size(), 1u);
  EXPECT_THROW(parse_samplers("top_q"), Error);
  EXPECT_THROW(parse_sampler_letters("z"), Error);
}

}  // namespace
}  // namespace glint
