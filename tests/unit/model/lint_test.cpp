// SPDX-License-Identifier: Apache-2.0
//
// Findings: what is told to a user, how loudly, and with which repair.
#include "model/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/arch.h"
#include "model/load.h"
#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::OwnedFile;
using testing::HasSubstr;

/// The one finding whose text holds `text`; level kNote and empty when there is none.
Finding finding_in(const std::vector<Finding>& findings, const std::string& text) {
  Finding found;
  int n = 0;
  for (const Finding& finding : findings) {
    if (finding.text.find(text) == std::string::npos) continue;
    found = finding;
    ++n;
  }
  EXPECT_LE(n, 1) << text;
  return found;
}

std::vector<Finding> findings_of_header(const EditedFile& file) {
  const OwnedFile owned = file.build();
  std::vector<Finding> findings;
  lint_file(owned.file, read_spec(owned.file, findings), findings);
  return findings;
}

TEST(LintGlmFlash, WhatConversionsLeaveOut) {
  const Finding scale = finding_in(
      findings_of_header(golden::glm_flash_header().drop_key("deepseek2.expert_weights_scale")), "not scaled");
  EXPECT_EQ(scale.level, FindingLevel::kError);
  EXPECT_EQ(scale.fix, "--override-kv deepseek2.expert_weights_scale=float:1.8");
  const Finding norm = finding_in(
      findings_of_header(golden::glm_flash_header().drop_key("deepseek2.expert_weights_norm")), "sum to one");
  EXPECT_EQ(norm.level, FindingLevel::kError);
  EXPECT_EQ(norm.fix, "--override-kv deepseek2.expert_weights_norm=bool:true");
  EditedFile scaled = golden::glm_flash_header();
  scaled.set_text("deepseek2.rope.scaling.type", "yarn").set_float("deepseek2.rope.scaling.factor", 4);
  const Finding rope = finding_in(findings_of_header(scaled), "without scaling");
  EXPECT_EQ(rope.level, FindingLevel::kWarning);
  EXPECT_THAT(rope.fix, HasSubstr("deepseek2.rope.scaling.type=str:none"));
  // The published file has none of these.
  for (const Finding& finding : findings_of_header(
           golden::glm_flash_header().set_texts("tokenizer.ggml.tokens", std::vector<std::string>(8, "a")))) {
    EXPECT_EQ(finding.level, FindingLevel::kNote) << finding.text;
  }
}

TEST(LintGlmFlash, TheRepairsRepair) {
  EditedFile file = golden::glm_flash_header();
  file.drop_key("deepseek2.expert_weights_scale");
  const OwnedFile owned = file.build("deepseek2.expert_weights_scale=float:1.8");
  std::vector<Finding> findings;
  const ModelSpec spec = read_spec(owned.file, findings);
  EXPECT_EQ(std::get<MoeSpec>(spec.layers[1].ffn).route.scale, 1.8f);
  EXPECT_EQ(finding_in(findings, "not scaled").text, "");
}

TEST(LintGlmFlash, EndOfTurn) {
  EditedFile file = golden::glm_flash_header();
  file.set_text("tokenizer.ggml.pre", "glm4");
  const std::vector<Finding> both = findings_of_header(file);
  EXPECT_THAT(finding_in(both, "eot_token_id").text, HasSubstr("<|user|>"));
  EXPECT_THAT(finding_in(both, "eom_token_id").text, HasSubstr("<|observation|>"));
  file.set("tokenizer.ggml.eot_token_id", 3).set("tokenizer.ggml.eom_token_id", 4);
  EXPECT_EQ(finding_in(findings_of_header(file), "ends a turn").text, "");
  file.set_text("tokenizer.ggml.pre", "llama-bpe").drop_key("tokenizer.ggml.eot_token_id");
  EXPECT_EQ(finding_in(findings_of_header(file), "ends a turn").text, "");
}

class Lint : public golden::Test {};

TEST_F(Lint, FileTypeIsOnlyALabel) {
  // The golden files are BF16 (32).
  const auto findings = [](uint32_t label) {
    const OwnedFile owned = golden::edit("llama").set("general.file_type", label).build();
    return check_model(owned.file).findings;
  };
  const std::string wrong = finding_in(findings(2), "general.file_type").text;
  EXPECT_THAT(wrong, HasSubstr("says Q4_0"));
  EXPECT_THAT(wrong, HasSubstr("most bytes are BF16"));
  EXPECT_EQ(finding_in(findings(32), "general.file_type").text, "");
  EXPECT_EQ(finding_in(findings(1000), "general.file_type").text, "");
  const OwnedFile text = golden::edit("llama").set_text("general.file_type", "x").build();
  EXPECT_NO_THROW(check_model(text.file));
}

TEST_F(Lint, Vocabulary) {
  const auto findings = [](size_t n_tokens) {
    const OwnedFile owned =
        golden::edit("llama").set_texts("tokenizer.ggml.tokens", std::vector<std::string>(n_tokens, "a")).build();
    return check_model(owned.file).findings;
  };
  EXPECT_EQ(finding_in(findings(897), "897 tokens").level, FindingLevel::kWarning);
  EXPECT_THAT(finding_in(findings(890), "890 tokens").text, HasSubstr("from 890 on have no text"));
  EXPECT_EQ(finding_in(findings(896), "896").text, "");
  const OwnedFile none = golden::edit("llama").drop_key("tokenizer.ggml.tokens").build();
  EXPECT_EQ(finding_in(check_model(none.file).findings, "no vocabulary").level, FindingLevel::kWarning);
  const OwnedFile template_less = golden::edit("llama").drop_key("tokenizer.chat_template").build();
  EXPECT_EQ(finding_in(check_model(template_less.file).findings, "no chat template").fix,
            "chat needs --chat-template-file");
}

TEST_F(Lint, FindingsOfARefusedFileAreKept) {
  const OwnedFile owned =
      golden::edit("llama").drop_key("tokenizer.chat_template").rename("output_norm.weight", "norm.weight").build();
  std::vector<Finding> findings;
  EXPECT_THROW(check_model(owned.file, findings), Error);
  EXPECT_THAT(finding_in(findings, "no chat template").fix, HasSubstr("--chat-template-file"));
}

TEST_F(Lint, PredictionBlock) {
  EXPECT_THAT(finding_in(check_model(golden::source("glm4_moe")).findings, "can draft").text,
              HasSubstr("1 prediction block (nextn)"));
  EXPECT_EQ(finding_in(check_model(golden::source("glm4_moe_qknorm")).findings, "can draft").text, "");
}

TEST(LintNames, OfLevels) {
  EXPECT_EQ(finding_level_name(FindingLevel::kNote), "note");
  EXPECT_EQ(finding_level_name(FindingLevel::kWarning), "warning");
  EXPECT_EQ(finding_level_name(FindingLevel::kError), "error");
}

}  // namespace
}  // namespace glint
