// SPDX-License-Identifier: Apache-2.0
//
// Loading: what a file lacks or gets wrong is refused by name, and the same weights in another layout give the same
// logits.
#include "model/load.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/check.h"
#include "base/half.h"
#include "tensor/quantize.h"
#include "tests/unit/model/golden.h"
#include "tests/unit/model/recording_backend.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::Instance;
using golden::OwnedFile;
using testing::HasSubstr;

/// What check_model says of a file it refuses; empty when it does not.
std::string refusal(const EditedFile& edited) {
  try {
    const OwnedFile owned = edited.build();
    check_model(owned.file);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

size_t count_findings(const std::vector<Finding>& findings, const std::string& text) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [&](const Finding& finding) { return finding.text.find(text) != std::string::npos; }));
}

/// Not required: the divisors of llama's RoPE, and blocks that only prediction uses.
bool is_optional(const std::string& model, const std::string& tensor) {
  const bool has_nextn = model == "glm4_moe" || model == "glm4_moe_lite_mtp";
  return tensor == "rope_freqs.weight" || (has_nextn && tensor.starts_with("blk.2."));
}

class LoadEveryModel : public golden::Test, public testing::WithParamInterface<std::string> {};

TEST_P(LoadEveryModel, EachTensorIsMissedByName) {
  const EditedFile whole = golden::edit(GetParam());
  ASSERT_EQ(refusal(whole), "");
  for (const std::string& name : whole.names()) {
    if (is_optional(GetParam(), name)) continue;
    const std::string renamed = refusal(EditedFile(whole).rename(name, "model.layers." + name));
    EXPECT_THAT(renamed, HasSubstr(name.substr(0, name.rfind('.')))) << "renamed: " << name;
    EXPECT_THAT(renamed, HasSubstr("missing")) << "renamed: " << name;
  }
}

TEST_P(LoadEveryModel, EachMisshapenTensorIsNamedWithBothShapes) {
  const EditedFile whole = golden::edit(GetParam());
  for (const std::string& name : whole.names()) {
    if (is_optional(GetParam(), name) || name.starts_with("rope_factors")) continue;
    // As many values, another shape: only the check of the shape can tell.
    std::vector<int64_t> dims = whole.tensor(name).dims;
    std::vector<int64_t> changed = dims;
    if (changed.size() == 1) {
      changed = {2, changed[0] / 2};
    } else {
      changed.back() /= 2;
      changed[changed.size() - 2] *= 2;
    }
    const std::string message = refusal(EditedFile(whole).reshape(name, changed));
    EXPECT_THAT(message, HasSubstr(name));
    EXPECT_THAT(message, HasSubstr("expected"));
    if (name == "token_embd.weight") continue;  // its rows are where n_vocab comes from
    EXPECT_THAT(message, HasSubstr(fmt::format("{}", fmt::join(dims, ", ")))) << name;
    EXPECT_THAT(message, HasSubstr(fmt::format("{}", fmt::join(changed, ", ")))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LoadEveryModel, testing::ValuesIn(golden::names()));

class Load : public golden::Test {};

TEST_F(Load, UnknownTensorsGiveOneWarning) {
  EditedFile edited = golden::edit("llama");
  for (int i = 0; i < 5; ++i) edited.put_floats(fmt::format("vision.{}.weight", i), {3}, {1, 2, 3});
  const OwnedFile owned = edited.build();
  const CheckedModel checked = check_model(owned.file);
  EXPECT_EQ(count_findings(checked.findings, "are not used"), 1u);
  const auto warning = std::find_if(checked.findings.begin(), checked.findings.end(),
                                    [](const Finding& finding) { return finding.text.find("are not used") != std::string::npos; });
  ASSERT_NE(warning, checked.findings.end());
  EXPECT_EQ(warning->level, FindingLevel::kWarning);
  EXPECT_EQ(warning->text, "5 tensors of the file are not used, vision.0.weight first");
}

TEST_F(Load, GoldenFilesHaveNoWarnings) {
  for (const std::string& name : golden::names()) {
    for (const Finding& finding : check_model(golden::source(name)).findings) {
      EXPECT_EQ(finding.level, FindingLevel::kNote) << name << ": " << finding.text;
    }
  }
}

TEST_F(Load, HostileNamesAreShownHarmless) {
  EditedFile edited = golden::edit("llama");
  edited.put_floats("\x1b[2Jboo", {1}, {1});
  const OwnedFile owned = edited.build();
  for (const Finding& finding : check_model(owned.file).findings) EXPECT_EQ(finding.text.find('\x1b'), std::string::npos);
  EXPECT_THAT(refusal(golden::edit("llama").set_text("general.architecture", "\x1b[2Jx")), HasSubstr("\\x1b"));
}

TEST_F(Load, UnknownArchitectureListsTheKnown) {
  const std::string message = refusal(golden::edit("llama").set_text("general.architecture", "mamba"));
  EXPECT_THAT(message, HasSubstr("\"mamba\" is not known"));
  EXPECT_THAT(message, HasSubstr("deepseek2"));
}

TEST_F(Load, IntegersAreNoWeights) {
  EditedFile edited = golden::edit("llama");
  const HostTensor down = edited.tensor("blk.0.ffn_down.weight");
  std::vector<std::byte> bytes(static_cast<size_t>(down.elements()) * 4);
  edited.put(down.name, DType::kI32, down.dims, bytes);
  EXPECT_THAT(refusal(edited), HasSubstr("blk.0.ffn_down.weight is of type I32"));
}

TEST_F(Load, NormsAndBiasesMustBeF32) {
  EditedFile norm = golden::edit("llama");
  const HostTensor weight = norm.tensor("blk.1.attn_norm.weight");
  norm.put(weight.name, DType::kF16, weight.dims, std::vector<std::byte>(static_cast<size_t>(weight.elements()) * 2));
  EXPECT_THAT(refusal(norm), HasSubstr("blk.1.attn_norm.weight is F16; expected F32"));
  EditedFile bias = golden::edit("gpt_oss");
  const HostTensor experts = bias.tensor("blk.1.ffn_up_exps.bias");
  bias.put(experts.name, DType::kF16, experts.dims, std::vector<std::byte>(static_cast<size_t>(experts.elements()) * 2));
  EXPECT_THAT(refusal(bias), HasSubstr("blk.1.ffn_up_exps.bias is F16; expected F32"));
}

TEST_F(Load, AbsentHeadIsTheEmbeddingWhereTheFamilyTies) {
  EditedFile edited = golden::edit("llama");
  const OwnedFile owned = edited.drop("output.weight").build();
  EXPECT_TRUE(check_model(owned.file).spec.tied_head);
  EXPECT_THAT(refusal(golden::edit("glm4_moe_lite").drop("output.weight")), HasSubstr("output.weight is missing"));
}

// ---- the same weights in other layouts ----

/// The joint tensor of block `block` that deepseek2 files had before the split one: rows of each head's keys, then values.
std::vector<float> joint_kv_b(const EditedFile& file, int block, int n_heads, int d_nope, int d_v, int rank) {
  const std::vector<float> k = golden::floats_of(file.tensor(fmt::format("blk.{}.attn_k_b.weight", block)));
  const std::vector<float> v = golden::floats_of(file.tensor(fmt::format("blk.{}.attn_v_b.weight", block)));
  std::vector<float> joint;
  for (int h = 0; h < n_heads; ++h) {
    for (int d = 0; d < d_nope; ++d) {
      for (int r = 0; r < rank; ++r) joint.push_back(k[static_cast<size_t>((h * rank + r) * d_nope + d)]);
    }
    const auto head = v.begin() + static_cast<std::ptrdiff_t>(h) * d_v * rank;
    joint.insert(joint.end(), head, head + static_cast<std::ptrdiff_t>(d_v) * rank);
  }
  return joint;
}

std::vector<std::byte> to_bf16(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = f32_to_bf16(values[i]);
    std::memcpy(bytes.data() + 2 * i, &half, 2);
  }
  return bytes;
}

/// glm4_moe_lite in the layout of before mid-2025: joint kv_b, keys that mean whole heads.
EditedFile legacy_file(const std::function<void(EditedFile&, const std::string&, std::vector<int64_t>, const std::vector<float>&)>& put) {
  constexpr int kHeads = 5, kNope = 48, kValue = 64, kRank = 128;
  EditedFile edited = golden::edit("glm4_moe_lite");
  for (int block = 0; block < 3; ++block) {
    const std::vector<float> joint = joint_kv_b(edited, block, kHeads, kNope, kValue, kRank);
    edited.drop(fmt::format("blk.{}.attn_k_b.weight", block)).drop(fmt::format("blk.{}.attn_v_b.weight", block));
    put(edited, fmt::format("blk.{}.attn_kv_b.weight", block), {kHeads * (kNope + kValue), kRank}, joint);
  }
  edited.drop_key("deepseek2.attention.key_length_mla").drop_key("deepseek2.attention.value_length_mla");
  return edited.set("deepseek2.attention.key_length", 64).set("deepseek2.attention.value_length", 64)
      .set("deepseek2.attention.head_count_kv", kHeads);
}

void put_bf16(EditedFile& file, const std::string& name, std::vector<int64_t> dims, const std::vector<float>& values) {
  file.put(name, DType::kBF16, std::move(dims), to_bf16(values));
}

TEST_F(Load, JointKvBGivesTheSameLogits) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite", "p64");
  Instance split("glm4_moe_lite", make_ref_backend(), golden::exact_options());
  const std::vector<float> expected = split.feed(ids);
  Instance bf16(legacy_file(put_bf16).build(), golden::exact_options());
  EXPECT_EQ(bf16.feed(ids), expected);
  EXPECT_EQ(std::get<MlaWeights>(bf16.model.weights.layers[0].attention).k_b.dtype, DType::kBF16);  // kept, not widened
  EXPECT_EQ(count_findings(bf16.model.findings, "joint layout"), 1u);
  const auto put_f32 = [](EditedFile& file, const std::string& name, std::vector<int64_t> dims, const std::vector<float>& values) {
    file.put_floats(name, std::move(dims), values);
  };
  Instance f32(legacy_file(put_f32).build(), golden::exact_options());
  EXPECT_EQ(f32.feed(ids), expected);
}

TEST_F(Load, QuantisedJointKvBIsUnpackedExactly) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite", "p7");
  const auto put_q8_0 = [](EditedFile& file, const std::string& name, std::vector<int64_t> dims, const std::vector<float>& values) {
    std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(DType::kQ8_0, static_cast<int64_t>(values.size()))));
    quantize_q8_0(values.data(), static_cast<int64_t>(values.size()), bytes.data());
    file.put(name, DType::kQ8_0, std::move(dims), std::move(bytes));
  };
  EditedFile quantised = legacy_file(put_q8_0);
  // The same values as f32.
  EditedFile widened = quantised;
  for (int block = 0; block < 3; ++block) {
    const HostTensor joint = widened.tensor(fmt::format("blk.{}.attn_kv_b.weight", block));
    widened.put_floats(joint.name, joint.dims, golden::floats_of(joint));
  }
  Instance a(quantised.build(), golden::exact_options());
  Instance b(widened.build(), golden::exact_options());
  EXPECT_EQ(a.feed(ids), b.feed(ids));
  const auto& weights = std::get<MlaWeights>(a.model.weights.layers[2].attention);
  EXPECT_EQ(weights.k_b.dtype, DType::kF32);
  EXPECT_EQ(weights.v_b.dtype, DType::kQ8_0);
}

TEST_F(Load, SplitLayoutWinsWhereAFileHasBoth) {
  EditedFile both = golden::edit("glm4_moe_lite");
  for (int block = 0; block < 3; ++block) {
    put_bf16(both, fmt::format("blk.{}.attn_kv_b.weight", block), {5 * 112, 128}, joint_kv_b(both, block, 5, 48, 64, 128));
  }
  const OwnedFile owned = both.build();
  const CheckedModel checked = check_model(owned.file);
  EXPECT_FALSE(std::get<MlaSpec>(checked.spec.layers[0].attention).joint_kv_b);
  EXPECT_EQ(count_findings(checked.findings, "are not used"), 0u);
}

TEST_F(Load, OllamasOlderNameOfGlmFlash) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite", "p7");
  EditedFile edited = golden::edit("glm4_moe_lite");
  edited.rename_architecture("glm4moelite");
  edited.drop_key("glm4moelite.attention.key_length_mla").drop_key("glm4moelite.attention.value_length_mla");
  edited.set("glm4moelite.attention.key_length", 64).set("glm4moelite.attention.value_length", 64);
  edited.set("glm4moelite.attention.head_count_kv", 5);
  Instance renamed(edited.build(), golden::exact_options());
  Instance original("glm4_moe_lite", make_ref_backend(), golden::exact_options());
  EXPECT_EQ(renamed.feed(ids), original.feed(ids));
}

TEST_F(Load, FusedExpertsGiveTheSameLogits) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite", "p64");
  EditedFile edited = golden::edit("glm4_moe_lite");
  for (int block = 1; block < 3; ++block) {
    const std::string prefix = fmt::format("blk.{}.ffn_", block);
    const HostTensor gate = edited.tensor(prefix + "gate_exps.weight");
    const HostTensor up = edited.tensor(prefix + "up_exps.weight");
    const size_t expert = gate.bytes.size() / static_cast<size_t>(gate.dims[0]);
    std::vector<std::byte> fused;
    for (size_t e = 0; e < static_cast<size_t>(gate.dims[0]); ++e) {
      for (const HostTensor* half : {&gate, &up}) {
        const auto part = half->bytes.subspan(e * expert, expert);
        fused.insert(fused.end(), part.begin(), part.end());
      }
    }
    edited.drop(gate.name).drop(up.name);
    edited.put(prefix + "gate_up_exps.weight", gate.dtype, {gate.dims[0], 2 * gate.dims[1], gate.dims[2]}, fused);
  }
  Instance fused(edited.build(), golden::exact_options());
  Instance original("glm4_moe_lite", make_ref_backend(), golden::exact_options());
  EXPECT_EQ(fused.feed(ids), original.feed(ids));
}

/// DeepSeek-V2-Lite has one query matrix. It must equal two matrices of which the first does nothing: with attn_norm all
/// ones, its output has mean square 1, so norming it again (q_a_norm all ones) changes it by eps / 2 (5e-6) over the mean
/// square of its input, which in this model is about 0.1; the logits are a few units large.
TEST_F(Load, QueryWithoutLowRank) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite", "p7");
  constexpr int kModel = 256, kQuery = 5 * 64;
  EditedFile two = golden::edit("glm4_moe_lite");
  EditedFile one = two;
  std::vector<float> identity(kModel * kModel, 0.0f);
  for (size_t i = 0; i < kModel; ++i) identity[i * kModel + i] = 1;
  std::vector<float> query(kQuery * kModel);
  for (size_t i = 0; i < query.size(); ++i) query[i] = 0.1f * std::sin(static_cast<float>(i * i % 1000003));
  for (int block = 0; block < 3; ++block) {
    const std::string prefix = fmt::format("blk.{}.attn_", block);
    const std::vector<float> ones(kModel, 1.0f);
    two.put_floats(prefix + "norm.weight", {kModel}, ones).put_floats(prefix + "q_a.weight", {kModel, kModel}, identity)
        .put_floats(prefix + "q_a_norm.weight", {kModel}, ones).put_floats(prefix + "q_b.weight", {kQuery, kModel}, query);
    one.put_floats(prefix + "norm.weight", {kModel}, ones).drop(prefix + "q_a.weight").drop(prefix + "q_a_norm.weight")
        .drop(prefix + "q_b.weight").put_floats(prefix + "q.weight", {kQuery, kModel}, query);
  }
  two.set("deepseek2.attention.q_lora_rank", kModel);
  one.drop_key("deepseek2.attention.q_lora_rank");
  Instance with_rank(two.build(), golden::exact_options());
  Instance without(one.build(), golden::exact_options());
  EXPECT_LE(golden::largest_difference(with_rank.feed(ids), without.feed(ids)), 1e-3);
}

/// Mixtral's routing over experts that are all the same is the dense model: the chosen weights sum to one.
TEST_F(Load, MixtralOfEqualExpertsIsLlama) {
  const std::vector<int32_t> ids = golden::prompt_ids("llama", "p64");
  EditedFile edited = golden::edit("llama");
  constexpr int kExperts = 3;
  for (int block = 0; block < 2; ++block) {
    for (const char* part : {"gate", "up", "down"}) {
      const HostTensor dense = edited.tensor(fmt::format("blk.{}.ffn_{}.weight", block, part));
      std::vector<std::byte> experts;
      for (int e = 0; e < kExperts; ++e) experts.insert(experts.end(), dense.bytes.begin(), dense.bytes.end());
      edited.drop(dense.name);
      edited.put(fmt::format("blk.{}.ffn_{}_exps.weight", block, part), dense.dtype, {kExperts, dense.dims[0], dense.dims[1]}, experts);
    }
    std::vector<float> router(kExperts * 256);
    for (size_t i = 0; i < router.size(); ++i) router[i] = std::cos(static_cast<float>(i));
    edited.put_floats(fmt::format("blk.{}.ffn_gate_inp.weight", block), {kExperts, 256}, router);
  }
  Instance mixture(edited.set("llama.expert_count", kExperts).set("llama.expert_used_count", 2).build(), golden::exact_options());
  Instance dense("llama", make_ref_backend(), golden::exact_options());
  EXPECT_LE(golden::largest_difference(mixture.feed(ids), dense.feed(ids)), 2e-5);
}

TEST_F(Load, WeightsLieWhereTheFileIs) {
  const gguf::File& file = golden::source("phi3");
  const std::unique_ptr<Backend> backend = make_ref_backend();
  const LoadedModel model = load_model(file, *backend);
  const HostTensor* qkv = file.find("blk.1.attn_qkv.weight");
  const auto& weights = std::get<GqaWeights>(model.weights.layers[1].attention);
  EXPECT_EQ(weights.q.data, qkv->bytes.data());
  EXPECT_EQ(static_cast<const std::byte*>(weights.v.data) + weights.v.n_out * row_bytes(qkv->dtype, 256),
            qkv->bytes.data() + qkv->bytes.size());
  EXPECT_TRUE(model.converted.empty());
}

}  // namespace
}  // namespace glint
