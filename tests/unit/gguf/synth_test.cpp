// SPDX-License-Identifier: Apache-2.0
//
// Synthetic models: sizes of published files to the byte, names and keys of converted models, and repeatable bytes.
#include "gguf/synth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/check.h"
#include "gguf/file.h"
#include "gguf/synth/mix.h"
#include "gguf/synth/models.h"
#include "tests/unit/gguf/known_model.h"
#include "tests/unit/gguf/temporary_folder.h"

namespace glint::gguf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> image(const SynthOptions& options) {
  Writer writer;
  synthesize(options, writer);
  return writer.image();
}

ModelSketch glm_flash() {
  const KnownModel& model = known_models()[0];
  EXPECT_EQ(model.name, "glm-4.7-flash");
  return model.sketch(model.n_layers, static_cast<int64_t>(model.n_vocab));
}

struct Totals {
  uint64_t bytes = 0;
  std::map<std::string, int> types;
};

Totals totals(std::string_view mix) {
  Totals totals;
  for (const PlannedTensor& tensor : plan_tensors(find_mix(mix), glm_flash())) {
    EXPECT_EQ(tensor.n_bytes % 32, 0u);  // so that the sum is the size of the data section
    totals.bytes += tensor.n_bytes;
    ++totals.types[std::string(traits(tensor.dtype).name)];
  }
  return totals;
}

// Data sections of published GLM-4.7-Flash files, and of what llama-quantize makes.
TEST(SynthGlmFlash, SizesOfPublishedFiles) {
  EXPECT_EQ(totals("bf16").bytes, 59899361792u);
  EXPECT_EQ(totals("q8_0").bytes, 31833324032u);
  EXPECT_EQ(totals("q4_k").bytes, 18234718720u);
  EXPECT_EQ(totals("q4_k_m").bytes, 18123246080u);
  EXPECT_EQ(totals("q4_k_m_unsloth").bytes, 18302863872u);
  EXPECT_EQ(totals("mxfp4").bytes, 16959023616u);
}

TEST(SynthGlmFlash, TypesOfPublishedFiles) {
  using Types = std::map<std::string, int>;
  EXPECT_EQ(totals("bf16").types, (Types{{"BF16", 563}, {"F32", 281}}));
  EXPECT_EQ(totals("q4_k").types, (Types{{"Q8_0", 48}, {"Q6_K", 45}, {"Q4_K", 470}, {"F32", 281}}));
  EXPECT_EQ(totals("q4_k_m_unsloth").types,
            (Types{{"Q8_0", 141}, {"Q5_K", 92}, {"Q6_K", 70}, {"Q4_K", 260}, {"F32", 281}}));
  EXPECT_EQ(totals("iq4_xs_unsloth").types,
            (Types{{"Q8_0", 141}, {"Q5_K", 92}, {"Q6_K", 47}, {"Q4_K", 1}, {"IQ4_XS", 282}, {"F32", 281}}));
  EXPECT_EQ(totals("mxfp4").types, (Types{{"MXFP4", 232}, {"Q8_0", 331}, {"F32", 281}}));
}

TEST(SynthGlmFlash, LayersThatGetMoreBits) {
  std::set<int> layers;
  for (const PlannedTensor& tensor : plan_tensors(find_mix("q4_k_m"), glm_flash())) {
    if (tensor.dtype == DType::kQ6_K && tensor.sketch.layer >= 0) layers.insert(tensor.sketch.layer);
  }
  EXPECT_THAT(layers,
              ElementsAre(0, 1, 2, 3, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 41, 42, 43, 44, 45, 46));
}

TEST(SynthGlmFlash, ParametersAndOrder) {
  int64_t parameters = 0;
  const auto plan = plan_tensors(find_mix("q4_k"), glm_flash());
  for (const PlannedTensor& tensor : plan) {
    int64_t elements = 1;
    for (int64_t size : tensor.sketch.dims) elements *= size;
    parameters += elements;
  }
  EXPECT_EQ(parameters, 29943393920);
  ASSERT_EQ(plan.size(), 844u);
  EXPECT_EQ(plan[0].sketch.name, "output.weight");
  EXPECT_EQ(plan[1].sketch.name, "output_norm.weight");
  EXPECT_EQ(plan[2].sketch.name, "token_embd.weight");
  EXPECT_EQ(plan[3].sketch.name, "blk.0.attn_k_b.weight");
  EXPECT_THAT(plan[3].sketch.dims, ElementsAre(20, 512, 192));
  EXPECT_EQ(plan[843].sketch.name, "blk.46.ffn_up_shexp.weight");
}

// ---- files of the tiny models

std::vector<std::string> tiny_names() {
  std::vector<std::string> names;
  for (const SynthName& model : synth_models()) {
    if (model.name.ends_with("-tiny")) names.emplace_back(model.name);
  }
  return names;
}

TEST(Synth, EveryTinyModelInEveryTypeIsAFile) {
  for (const std::string& model : tiny_names()) {
    for (const SynthName& type : synth_types()) {
      const auto bytes = image({.model = model, .type = std::string(type.name), .threads = 1});
      const File file = File::parse(bytes, model);
      EXPECT_GT(file.tensors().size(), 10u) << model << " " << type.name;
      EXPECT_LT(bytes.size(), size_t{64} << 20) << model << " " << type.name;
    }
  }
}

TEST(Synth, EachFormatIsUsedWhereItFits) {
  for (const SynthName& type : synth_types()) {
    const auto bytes = image({.model = "glm-4.7-flash-tiny", .type = std::string(type.name), .threads = 1});
    const DType base = find_mix(type.name).base;
    const File file = File::parse(bytes, "t");
    EXPECT_TRUE(std::ranges::any_of(file.tensors(), [&](const auto& tensor) { return tensor.dtype == base; }))
        << type.name;
    EXPECT_EQ(file.find("blk.1.ffn_gate_inp.weight")->dtype, DType::kF32);
    EXPECT_EQ(file.find("blk.1.exp_probs_b.bias")->dtype, DType::kF32);
    EXPECT_EQ(file.find("output_norm.weight")->dtype, DType::kF32);
  }
}

TEST(Synth, SameOptionsSameBytesWhateverTheThreads) {
  SynthOptions options = {.model = "glm-4.7-flash-tiny", .threads = 1};
  const auto one = image(options);
  options.threads = 3;
  EXPECT_EQ(image(options), one);
  options.seed = 2;
  EXPECT_NE(image(options), one);
}

TEST(Synth, LayersAreTheFilesOwnCount) {
  const auto bytes = image({.model = "llama-tiny", .layers = 5, .threads = 1});
  const File file = File::parse(bytes, "t");
  EXPECT_EQ(file.metadata().integer("llama.block_count"), 5);
  EXPECT_NE(file.find("blk.4.attn_q.weight"), nullptr);
  EXPECT_EQ(file.find("blk.5.attn_q.weight"), nullptr);
}

TEST(Synth, TokenizerAndTemplateComeFromFiles) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("t.json"))
      << R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    "added_tokens": [{"id": 400, "content": "<|user|>", "special": true}]})";
  std::ofstream(folder.file("t.jinja")) << "{{ messages }}\n";
  const auto bytes = image({.model = "glm-4.7-flash-tiny",
                            .tokenizer = folder.file("t.json"),
                            .chat_template = folder.file("t.jinja"),
                            .threads = 1});
  const File file = File::parse(bytes, "t");
  const Metadata& metadata = file.metadata();
  EXPECT_EQ(metadata.string("tokenizer.chat_template"), "{{ messages }}\n");
  EXPECT_EQ(metadata.strings("tokenizer.ggml.tokens").size(), 448u);  // 401 rounded up to 64
  EXPECT_EQ(metadata.integer("deepseek2.vocab_size"), 448);
  EXPECT_THAT(file.find("token_embd.weight")->dims, ElementsAre(448, 256));
  EXPECT_EQ(metadata.integer("tokenizer.ggml.eot_token_id"), 400);
  EXPECT_FALSE(metadata.contains("tokenizer.ggml.bos_token_id"));
  EXPECT_THAT(metadata.strings("tokenizer.ggml.merges"), ElementsAre("a b"));
}

std::string refusal(const SynthOptions& options) {
  Writer writer;
  try {
    synthesize(options, writer);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Synth, UnknownNamesListWhatThereIs) {
  EXPECT_THAT(refusal({.model = "glm"}), HasSubstr("expected one of glm-4.7-flash glm-4.7-flash-tiny"));
  EXPECT_THAT(refusal({.model = "llama-tiny", .type = "q9"}), HasSubstr("type \"q9\" is unknown; expected q4_0"));
  EXPECT_THAT(refusal({.model = "llama-tiny", .type = "i32"}), HasSubstr("type \"i32\" is unknown"));
  EXPECT_THAT(refusal({.model = "llama-tiny", .layers = -1}), HasSubstr("layers is -1"));
  EXPECT_THAT(refusal({.model = "phi3-tiny", .tokenizer = "/dev/null"}), HasSubstr("SentencePiece"));
  EXPECT_THAT(refusal({.model = "llama-tiny", .tokenizer = "/no/such"}), HasSubstr("/no/such: cannot open"));
}

// ---- against converted models of the same families

// "blk.N." for every layer; the rank and whether it is F32 come along.
std::set<std::string> tensor_forms(const File& file) {
  std::set<std::string> forms;
  for (const HostTensor& tensor : file.tensors()) {
    std::string name = tensor.name;
    if (name.starts_with("blk.")) name = "blk.N" + name.substr(name.find('.', 4));
    const bool quantised = tensor.dtype != DType::kF32;
    forms.insert(fmt::format("{} rank {} {}", name, tensor.dims.size(), quantised ? "quantised" : "F32"));
  }
  return forms;
}

std::set<std::string> key_forms(const File& file) {
  std::set<std::string> forms;
  for (const auto& entry : file.metadata().entries()) {
    forms.insert(fmt::format("{} {}", entry.key, value_type_name(entry.value.type)));
  }
  return forms;
}

std::vector<std::string> missing(const std::set<std::string>& from, const std::set<std::string>& present) {
  std::vector<std::string> missing;
  std::ranges::set_difference(from, present, std::back_inserter(missing));
  return missing;
}

struct Family {
  const char* synthetic;
  const char* converted;
  std::vector<std::string> keys_left_out;  // of the converted model
};

TEST(Synth, NamesAndKeysOfConvertedModels) {
  const std::string chat = "tokenizer.chat_template string", size = "general.size_label string",
                    separator = "tokenizer.ggml.add_sep_token bool";
  const Family families[] = {
      {"glm-4.7-flash-tiny", "glm4_moe_lite", {size, chat}},
      {"llama-tiny", "llama", {size, separator}},
      {"qwen3-8b", "qwen3", {size}},
      {"qwen3moe-tiny", "qwen3_moe", {size}},
      {"gemma3-tiny", "gemma3", {size, separator}},
      {"phi3-tiny", "phi3", {size, separator}},
      {"gpt-oss-tiny", "gpt_oss", {size}},
  };
  for (const Family& family : families) {
    const std::string path = fmt::format("{}/golden/{}.gguf", GLINT_SHARED, family.converted);
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the golden models";
    const File converted = File::open(path);
    Writer writer;
    synthesize(with_small_vocabulary(family.synthetic), {.type = "iq1_s", .layers = 2}, writer);
    const auto bytes = writer.image();
    const File synthetic = File::parse(bytes, family.synthetic);
    EXPECT_THAT(missing(tensor_forms(converted), tensor_forms(synthetic)), testing::IsEmpty()) << family.synthetic;
    EXPECT_THAT(missing(tensor_forms(synthetic), tensor_forms(converted)), testing::IsEmpty()) << family.synthetic;
    EXPECT_EQ(missing(key_forms(converted), key_forms(synthetic)), family.keys_left_out) << family.synthetic;
    EXPECT_THAT(missing(key_forms(synthetic), key_forms(converted)), testing::IsEmpty()) << family.synthetic;
  }
}

}  // namespace
}  // namespace glint::gguf
