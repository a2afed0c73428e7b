// SPDX-License-Identifier: Apache-2.0
//
// What a model costs: GLM-4.7-Flash's cache to the byte, the tensor table against its published files, and plans against
// what is really allocated.
#include "model/plan.h"

#include <gtest/gtest.h>

#include <set>

#include "model/arch/arch.h"
#include "model/weights.h"
#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"
#include "tests/unit/model/recording_backend.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::OwnedFile;
using golden::RecordingBackend;

constexpr KvFormat kF16{DType::kF16, DType::kF16};
constexpr KvFormat kQ8{DType::kQ8_0, DType::kQ8_0};
constexpr KvFormat kF32{DType::kF32, DType::kF32};

ModelSpec glm_flash() {
  const OwnedFile owned = golden::glm_flash_header().build();
  std::vector<Finding> findings;
  ModelSpec spec = read_spec(owned.file, findings);
  EXPECT_EQ(spec.layers.size(), 47u);
  return spec;
}

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

TEST(PlanGlmFlash, CacheBytes) {
  const ModelSpec spec = glm_flash();
  EXPECT_EQ(kv_bytes_per_token(spec, kF16), 54144);
  EXPECT_EQ(kv_bytes_per_token(spec, kQ8), 28764);
  EXPECT_EQ(kv_bytes_per_token(spec, kF32), 108288);
  EXPECT_EQ(mib(plan_decoder(spec, {.n_ctx = 8192, .kv = kF16}).k_bytes), 423.0);
  const DecoderPlan large = plan_decoder(spec, {.n_ctx = 65536, .kv = kF16});
  EXPECT_EQ(mib(large.k_bytes), 3384.0);
  EXPECT_EQ(large.v_bytes, 0);  // values are a view of the keys
  EXPECT_EQ(mib(plan_decoder(spec, {.n_ctx = 65536, .kv = kQ8}).k_bytes), 1797.75);
  EXPECT_NEAR(mib(plan_decoder(spec, {.n_ctx = 202752, .kv = kF16}).k_bytes) / 1024, 10.22, 0.005);
}

TEST(PlanGlmFlash, CacheAllocatesWhatThePlanSays) {
  const ModelSpec spec = glm_flash();
  RecordingBackend backend(make_ref_backend());
  const KvCache cache(backend, spec, {.n_ctx = 8192, .kv = kF16});
  EXPECT_EQ(mib(backend.allocated_bytes), 423.0);
  EXPECT_EQ(cache.bytes(), backend.allocated_bytes);
  EXPECT_EQ(backend.n_allocations, 47);
  EXPECT_EQ(cache.layer(0).v, nullptr);
  EXPECT_EQ(cache.layer(46).d_k, 576);
  EXPECT_EQ(cache.layer(46).d_v, 512);
}

/// The published files: 844 tensors (281 of them vectors, router and bias), 29,943,393,920 parameters, 3.58e9 active.
TEST(PlanGlmFlash, TensorTable) {
  ModelSpec spec = glm_flash();
  spec.n_vocab = 154880;
  std::set<std::string> names;
  int64_t parameters = 0, active = 0;
  int n_small = 0;
  for (const TensorUse& use : tensor_uses(spec, false)) {
    ASSERT_TRUE(names.insert(use.name).second) << use.name;
    int64_t elements = 1;
    for (int64_t dim : use.dims) elements *= dim;
    parameters += elements;
    active += use.n_read == 0 ? elements : elements / use.dims[0] * use.n_read;
    if (use.dims.size() == 1 || use.name.find("ffn_gate_inp") != std::string::npos) ++n_small;
  }
  EXPECT_EQ(names.size(), 844u);
  EXPECT_EQ(n_small, 281);
  EXPECT_EQ(parameters, 29'943'393'920);
  EXPECT_NEAR(static_cast<double>(active), 3.58e9, 0.01e9);
  const auto& mla = std::get<MlaSpec>(spec.layers[5].attention);
  EXPECT_EQ(mla.d_nope, 192);
  EXPECT_EQ(mla.d_v, 256);
  EXPECT_EQ(mla.scale, 0.0625f);  // 1 / sqrt(256), not of the cache row's 576
  EXPECT_TRUE(mla.rope.interleaved);
  EXPECT_EQ(mla.rope.scale, 1.0f);
  EXPECT_TRUE(std::holds_alternative<GluSpec>(spec.layers[0].ffn));
  const auto& moe = std::get<MoeSpec>(spec.layers[1].ffn);
  EXPECT_EQ(moe.d_ff_shared, 1536);
  EXPECT_EQ(moe.route.scale, 1.8f);
  EXPECT_TRUE(moe.route.renormalise);
}

/// The exports with the prediction block have 868 tensors, and its cache row makes 55,296 bytes a token.
TEST(PlanGlmFlash, WithPredictionBlock) {
  const OwnedFile owned = golden::glm_flash_header().set("deepseek2.block_count", 48).set("deepseek2.nextn_predict_layers", 1)
                              .put_floats("blk.47.nextn.eh_proj.weight", {1}, {0}).build();
  std::vector<Finding> findings;
  const ModelSpec spec = read_spec(owned.file, findings);
  EXPECT_EQ(spec.layers.size(), 47u);
  EXPECT_EQ(spec.nextn_layers.size(), 1u);
  EXPECT_EQ(tensor_uses(spec, true).size(), 868u);
  EXPECT_EQ(tensor_uses(spec, false).size(), 844u);
  EXPECT_EQ(kv_bytes(spec, kF16, true).total(), 55296);
  EXPECT_EQ(kv_bytes_per_token(spec, kF16), 54144);
}

class PlanEveryModel : public golden::Test, public testing::WithParamInterface<std::string> {};

TEST_P(PlanEveryModel, EqualsWhatIsAllocated) {
  const gguf::File& file = golden::source(GetParam());
  RecordingBackend backend(make_ref_backend());
  const bool nextn = GetParam() == "glm4_moe" || GetParam() == "glm4_moe_lite_mtp";
  const LoadedModel model = load_model(file, backend, {.nextn = nextn});
  ASSERT_EQ(backend.allocated_bytes, 0);  // weights are used where the file lies
  const DecoderOptions options{.n_ctx = 200, .n_sequences = 3, .max_tokens = 17, .kv = kF16, .nextn = nextn};
  const Decoder decoder(model, backend, options);
  const DecoderPlan plan = plan_decoder(model.spec, options);
  EXPECT_EQ(decoder.cache().bytes(), plan.k_bytes + plan.v_bytes);
  EXPECT_EQ(decoder.scratch_bytes(), plan.scratch_bytes);
  EXPECT_EQ(backend.allocated_bytes, plan.total());
}

TEST_P(PlanEveryModel, WeightBytesAreTheFilesWhereAllIsUsed) {
  const gguf::File& file = golden::source(GetParam());
  const CheckedModel checked = check_model(file);
  const ModelPlan plan = plan_model(file, checked.spec, kF16);
  int64_t bytes = 0;
  const std::string prediction = fmt::format("blk.{}.", checked.spec.layers.size());
  for (const HostTensor& tensor : file.tensors()) {
    if (!tensor.name.starts_with("rope_f") && !tensor.name.starts_with(prediction)) bytes += static_cast<int64_t>(tensor.bytes.size());
  }
  EXPECT_EQ(plan.weight_bytes, bytes);
  EXPECT_EQ(plan.converted_bytes, 0);
  EXPECT_EQ(plan.kv.total(), plan.kv_bytes_per_token);
  EXPECT_LE(plan.bytes_read_per_token, plan.weight_bytes);
}

INSTANTIATE_TEST_SUITE_P(Models, PlanEveryModel, testing::ValuesIn(golden::names()));

class Plan : public golden::Test {};

TEST_F(Plan, ReadsChosenExpertsAndOneRowOfTheEmbedding) {
  const gguf::File& file = golden::source("gpt_oss");  // top 2 of 5 experts with biases, 896 tokens, untied
  const ModelPlan plan = plan_model(file, check_model(file).spec, kF16);
  int64_t expected = 0;
  for (const HostTensor& tensor : file.tensors()) {
    const auto bytes = static_cast<int64_t>(tensor.bytes.size());
    if (tensor.name == "token_embd.weight") {
      expected += bytes / 896;
    } else if (tensor.name.find("_exps.") != std::string::npos) {
      expected += bytes / 5 * 2;
    } else {
      expected += bytes;
    }
  }
  EXPECT_EQ(plan.bytes_read_per_token, expected);
}

TEST_F(Plan, TiedEmbeddingIsReadWhole) {
  const gguf::File& file = golden::source("qwen2");
  const ModelPlan plan = plan_model(file, check_model(file).spec, kF16);
  EXPECT_EQ(plan.bytes_read_per_token, plan.weight_bytes);
}

TEST_F(Plan, KeysAndValuesOfGroupedHeads) {
  const CheckedModel llama = check_model(golden::source("llama"));  // 2 layers, 2 heads of 64
  const KvBytes bytes = kv_bytes(llama.spec, {DType::kQ8_0, DType::kF32});
  EXPECT_EQ(bytes.k, 2 * 2 * 64 / 32 * 34);
  EXPECT_EQ(bytes.v, 2 * 2 * 64 * 4);
}

}  // namespace
}  // namespace glint
