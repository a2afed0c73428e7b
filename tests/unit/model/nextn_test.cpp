// SPDX-License-Identifier: Apache-2.0
//
// Prediction blocks: metadata and tensors that do not agree, files split into trunk and draft, and that blocks which are
// not used cost nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "model/arch/arch.h"
#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"
#include "tests/unit/model/recording_backend.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::Instance;
using golden::OwnedFile;
using golden::RecordingBackend;
using testing::HasSubstr;

const std::string kCount = "deepseek2.block_count";
const std::string kPromise = "deepseek2.nextn_predict_layers";

bool is_block_2(std::string_view name) { return name.starts_with("blk.2."); }

/// The golden file (3 blocks of which one predicts, as the metadata says) and the ways in which files break the rule.
struct Case {
  const char* name;
  EditedFile file;
  bool predicts;
  const char* note;  // what the one note says; null: none is due
};

std::vector<Case> cases() {
  const EditedFile whole = golden::edit("glm4_moe_lite_mtp");
  return {
      {"promised and there", whole, true, nullptr},
      {"promised, not there", EditedFile(whole).drop_if(is_block_2), false, "does not have"},
      {"promised, not there and not counted", EditedFile(whole).drop_if(is_block_2).set(kCount, 2), false, "does not have"},
      {"there, not promised", EditedFile(whole).drop_key(kPromise).set(kCount, 2), true, "does not count"},
      {"there and counted, promised to be none", EditedFile(whole).set(kPromise, 0), true, "does not count"},
      {"incomplete", EditedFile(whole).drop("blk.2.nextn.eh_proj.weight"), false, "has no nextn.eh_proj"},
      {"neither", EditedFile(whole).drop_if(is_block_2).drop_key(kPromise).set(kCount, 2), false, nullptr},
  };
}

class Nextn : public golden::Test {};

TEST_F(Nextn, EveryCombinationLoadsAndWritesTheSameText) {
  const std::vector<int32_t> prompt = golden::prompt_ids("glm4_moe_lite_mtp", "p7");
  std::vector<int32_t> expected;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    auto owned_backend = std::make_unique<RecordingBackend>(make_ref_backend());
    RecordingBackend& backend = *owned_backend;
    Instance instance(c.file.build(), golden::exact_options(), std::move(owned_backend));
    EXPECT_EQ(instance.model.spec.layers.size(), 2u);
    EXPECT_EQ(instance.model.spec.nextn_layers.size(), c.predicts ? 1u : 0u);
    for (const std::string& name : backend.imported) EXPECT_FALSE(is_block_2(name)) << name;  // unused: no memory
    int n_notes = 0;
    for (const Finding& finding : instance.model.findings) {
      if (finding.text.find("promises") == std::string::npos && finding.text.find("does not count") == std::string::npos &&
          finding.text.find("eh_proj;") == std::string::npos) {
        continue;
      }
      ++n_notes;
      EXPECT_THAT(finding.text, HasSubstr(c.note == nullptr ? "no such note" : c.note));
    }
    EXPECT_EQ(n_notes, c.note == nullptr ? 0 : 1);
    const std::vector<int32_t> text = golden::greedy(instance, prompt, 16);
    if (expected.empty()) expected = text;
    EXPECT_EQ(text, expected);
  }
}

/// A last block without prediction tensors may be either; it is run, as an ordinary one, and the user is told.
TEST_F(Nextn, AnAmbiguousLastBlockIsRunWithAWarning) {
  EditedFile stripped = golden::edit("glm4_moe_lite_mtp");
  stripped.drop_if([](std::string_view name) { return name.find(".nextn.") != std::string_view::npos; });
  const OwnedFile owned = stripped.build();
  const CheckedModel checked = check_model(owned.file);
  EXPECT_EQ(checked.spec.layers.size(), 3u);
  const auto warning = std::find_if(checked.findings.begin(), checked.findings.end(),
                                    [](const Finding& finding) { return finding.level == FindingLevel::kWarning; });
  ASSERT_NE(warning, checked.findings.end());
  EXPECT_THAT(warning->text, HasSubstr("blk.2 as an ordinary block"));
  const OwnedFile overridden = stripped.build("deepseek2.block_count=int:2");
  EXPECT_EQ(check_model(overridden.file).spec.layers.size(), 2u);
}

TEST_F(Nextn, PredictionIsRefusedWhereThereIsNone) {
  DecoderOptions options = golden::exact_options();
  options.nextn = true;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    if (c.predicts) {
      EXPECT_NO_THROW(Instance(c.file.build(), options));
    } else {
      EXPECT_THROW(Instance(c.file.build(), options), Error);
    }
  }
}

TEST_F(Nextn, ATensorMissingFromThePredictionBlockIsNamedWhenItIsUsed) {
  DecoderOptions options = golden::exact_options();
  for (const char* dropped : {"blk.2.nextn.enorm.weight", "blk.2.attn_k_b.weight", "blk.2.ffn_down_exps.weight"}) {
    const EditedFile edited = golden::edit("glm4_moe_lite_mtp").drop(dropped);
    options.nextn = false;
    EXPECT_NO_THROW(Instance(edited.build(), options));
    options.nextn = true;
    try {
      Instance(edited.build(), options);
      ADD_FAILURE() << dropped;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(dropped));
    }
  }
}

TEST_F(Nextn, ADraftSplitOffItsModelCannotRun) {
  EditedFile draft = golden::edit("glm4_moe_lite_mtp");
  draft.drop_if([](std::string_view name) { return name.starts_with("blk.0.") || name.starts_with("blk.1."); });
  const OwnedFile owned = draft.build();
  try {
    check_model(owned.file);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot run alone"));
  }
}

/// Without tables of its own the block uses the trunk's: adding copies of them changes nothing.
TEST_F(Nextn, OwnTablesOrTheTrunks) {
  DecoderOptions options = golden::exact_options();
  options.nextn = true;
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite_mtp", "p7");
  const std::vector<int32_t> next(ids.begin() + 1, ids.end());
  const auto predict = [&](const EditedFile& file) {
    Instance instance(file.build(), options);
    instance.feed({ids.begin(), ids.end() - 1});
    instance.decoder->forward_nextn(next);
    const auto row = instance.decoder->nextn_logits(std::vector<int>{static_cast<int>(next.size()) - 1});
    return std::vector<float>(row.begin(), row.end());
  };
  const EditedFile shared = golden::edit("glm4_moe_lite_mtp");
  const std::vector<float> expected = predict(shared);
  EditedFile own = shared;
  const HostTensor table = own.tensor("token_embd.weight");
  const HostTensor head = own.tensor("output.weight");
  own.put("blk.2.nextn.embed_tokens.weight", table.dtype, table.dims, {table.bytes.begin(), table.bytes.end()});
  own.put("blk.2.nextn.shared_head_head.weight", head.dtype, head.dims, {head.bytes.begin(), head.bytes.end()});
  EXPECT_EQ(predict(own), expected);
  // And they are really used: another head, other logits.
  own.put("blk.2.nextn.shared_head_head.weight", table.dtype, table.dims, {table.bytes.begin(), table.bytes.end()});
  EXPECT_GT(golden::largest_difference(predict(own), expected), 0.1);
}

TEST_F(Nextn, TrunkLogitsStayAndChunksEqualTheWhole) {
  for (const char* name : {"glm4_moe_lite_mtp", "glm4_moe"}) {
    SCOPED_TRACE(name);
    DecoderOptions options = golden::exact_options();
    options.nextn = true;
    const std::vector<int32_t> ids = golden::prompt_ids(name, "p64");
    const auto n = static_cast<int>(ids.size()) - 1;
    Instance whole(name, make_ref_backend(), options);
    const std::vector<float> trunk = whole.feed({ids.begin(), ids.end() - 1});
    whole.decoder->forward_nextn(std::span(ids).subspan(1));
    EXPECT_EQ(whole.last_logits(n - 1), trunk);
    const auto last = whole.decoder->nextn_logits(std::vector<int>{n - 1});
    const std::vector<float> expected(last.begin(), last.end());
    Instance chunked(name, make_ref_backend(), options);
    std::vector<float> got;
    for (int at = 0; at < n;) {
      const int count = std::min(n - at, at == 0 ? 1 : 25);
      chunked.feed({ids.begin() + at, ids.begin() + at + count}, at);
      chunked.decoder->forward_nextn(std::span(ids).subspan(static_cast<size_t>(at) + 1, static_cast<size_t>(count)));
      const auto row = chunked.decoder->nextn_logits(std::vector<int>{count - 1});
      got.assign(row.begin(), row.end());
      at += count;
    }
    EXPECT_EQ(got, expected);
  }
}

}  // namespace
}  // namespace glint
