// SPDX-License-Identifier: Apache-2.0
//
// What must hold bit for bit, whatever the batch: a prompt at once, in chunks or token by token; a sequence alone or among
// others; a cache that was cut and refilled. On every backend and architecture.
#include "model/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/check.h"
#include "tests/unit/model/golden.h"
#include "tests/unit/model/recording_backend.h"

namespace glint {
namespace {

using golden::Instance;
using Logits = std::vector<std::vector<float>>;  // of each row

DecoderOptions options_with(KvFormat format, int n_sequences = 1) {
  DecoderOptions options;
  options.n_ctx = 200;
  options.n_sequences = n_sequences;
  options.max_tokens = 96;
  options.kv = format;
  return options;
}

constexpr KvFormat kF32{DType::kF32, DType::kF32};
constexpr KvFormat kF16{DType::kF16, DType::kF16};

/// Logits of all rows of a step.
Logits step(Instance& instance, const std::vector<Row>& rows) {
  instance.decoder->forward(rows);
  std::vector<int> indices(rows.size());
  std::iota(indices.begin(), indices.end(), 0);
  const std::span<const float> all = instance.decoder->logits(indices);
  const auto n_vocab = static_cast<size_t>(instance.decoder->spec().n_vocab);
  Logits logits;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = all.subspan(i * n_vocab, n_vocab);
    logits.emplace_back(row.begin(), row.end());
  }
  return logits;
}

std::vector<Row> rows_of(const std::vector<int32_t>& ids, int from, int count, int sequence = 0) {
  std::vector<Row> rows;
  for (int i = from; i < from + count; ++i) rows.push_back({ids[static_cast<size_t>(i)], i, sequence});
  return rows;
}

/// Feeds ids in pieces of the given sizes, the last taking the rest.
Logits feed_in(Instance& instance, const std::vector<int32_t>& ids, const std::vector<int>& pieces) {
  Logits logits;
  const auto n = static_cast<int>(ids.size());
  for (size_t piece = 0; static_cast<int>(logits.size()) < n; ++piece) {
    const auto at = static_cast<int>(logits.size());
    const int count = piece < pieces.size() ? std::min(pieces[piece], n - at) : n - at;
    for (auto& row : step(instance, rows_of(ids, at, count))) logits.push_back(std::move(row));
  }
  return logits;
}

/// The first row that differs, or -1.
int first_difference(const Logits& a, const Logits& b) {
  if (a.size() != b.size()) return 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return static_cast<int>(i);
  }
  return -1;
}

struct Where {
  std::string backend;
  std::string model;
};
void PrintTo(const Where& where, std::ostream* out) { *out << where.model << " on " << where.backend; }

/// Every model on every backend; on the slowest only those that use an op in a way that others do not.
std::vector<Where> everywhere() {
  std::vector<Where> all;
  for (const std::string& model : golden::names()) {
    all.push_back({"ref", model});
    all.push_back({"cpu", model});
  }
  for (const char* model : {"glm4_moe_lite_mtp", "gpt_oss", "gemma2"}) all.push_back({"scalar", model});
  return all;
}

class DecoderBits : public golden::Test, public testing::WithParamInterface<Where> {
 protected:
  Instance open(DecoderOptions options) const {
    return Instance(GetParam().model, golden::make(GetParam().backend), options);
  }
  /// 71 ids: they reach into a second page.
  std::vector<int32_t> ids() const {
    std::vector<int32_t> ids = golden::prompt_ids(GetParam().model, "p64");
    const std::vector<int32_t> more = golden::prompt_ids(GetParam().model, "p7");
    ids.insert(ids.end(), more.begin(), more.end());
    EXPECT_GT(ids.size(), static_cast<size_t>(kPageTokens));
    return ids;
  }
};

TEST_P(DecoderBits, WholeChunkedAndSingleTokens) {
  const std::vector<KvFormat> formats = GetParam().backend == "cpu" ? std::vector{kF32, kF16} : std::vector{kF16};
  for (const KvFormat format : formats) {
    Instance whole = open(options_with(format));
    const Logits expected = feed_in(whole, ids(), {});
    Instance chunked = open(options_with(format));
    EXPECT_EQ(first_difference(feed_in(chunked, ids(), {7, 1, 33, 26}), expected), -1);
    Instance single = open(options_with(format));
    EXPECT_EQ(first_difference(feed_in(single, ids(), std::vector<int>(ids().size(), 1)), expected), -1);
  }
}

TEST_P(DecoderBits, ThreeSequencesAtOnceEqualThreeAlone) {
  const std::vector<int32_t> text = ids();
  const std::vector<int32_t> a(text.begin(), text.begin() + 40);
  const std::vector<int32_t> b(text.begin() + 20, text.begin() + 23);
  const std::vector<int32_t> c(text.rbegin(), text.rbegin() + 30);
  std::vector<Logits> alone;
  for (const auto* sequence : {&a, &b, &c}) {
    Instance instance = open(options_with(kF16));
    alone.push_back(feed_in(instance, *sequence, {static_cast<int>(sequence->size()) - 1}));
  }
  Instance together = open(options_with(kF16, 3));
  // All but the last of each, in another order than their numbers; then the last ones, as in decoding.
  std::vector<Row> rows = rows_of(c, 0, 29, 2);
  for (const Row& row : rows_of(a, 0, 39, 0)) rows.push_back(row);
  for (const Row& row : rows_of(b, 0, 2, 1)) rows.push_back(row);
  Logits got = step(together, rows);
  const Logits last = step(together, {{a[39], 39, 0}, {b[2], 2, 1}, {c[29], 29, 2}});
  const Logits got_c(got.begin(), got.begin() + 29), got_a(got.begin() + 29, got.begin() + 68), got_b(got.begin() + 68, got.end());
  const auto with_last = [](Logits rows_before, const std::vector<float>& row) {
    rows_before.push_back(row);
    return rows_before;
  };
  EXPECT_EQ(first_difference(with_last(got_a, last[0]), alone[0]), -1);
  EXPECT_EQ(first_difference(with_last(got_b, last[1]), alone[1]), -1);
  EXPECT_EQ(first_difference(with_last(got_c, last[2]), alone[2]), -1);
}

TEST_P(DecoderBits, CutAndRefilledEqualsFresh) {
  const std::vector<int32_t> text = ids();
  std::vector<int32_t> other = text;
  std::reverse(other.begin() + 21, other.end());
  Instance fresh = open(options_with(kF16));
  const Logits expected = feed_in(fresh, other, {});
  Instance reused = open(options_with(kF16, 2));
  feed_in(reused, text, {});
  reused.decoder->truncate(0, 21);
  EXPECT_EQ(reused.decoder->n_cached(0), 21);
  const Logits refilled = step(reused, rows_of(other, 21, static_cast<int>(other.size()) - 21));
  EXPECT_EQ(first_difference(refilled, Logits(expected.begin() + 21, expected.end())), -1);
  // In pages that another sequence had, and in another order.
  reused.decoder->truncate(0, 0);
  step(reused, rows_of(text, 0, 65, 1));
  const Logits moved = feed_in(reused, other, {30});
  EXPECT_EQ(first_difference(moved, expected), -1);
  // Feeding from a position inside replaces what follows it.
  step(reused, rows_of(text, 10, 20));
  EXPECT_EQ(reused.decoder->n_cached(0), 30);
  const Logits replaced = step(reused, rows_of(other, 10, static_cast<int>(other.size()) - 10));
  EXPECT_EQ(first_difference(replaced, Logits(expected.begin() + 10, expected.end())), -1);
}

/// A sequence that goes on from pages another wrote, in the middle of one, while the other goes on too.
TEST_P(DecoderBits, SharedPagesEqualOwnOnes) {
  const std::vector<int32_t> text = ids();
  std::vector<int32_t> other = text;
  std::reverse(other.begin() + 68, other.end());
  Instance fresh = open(options_with(kF16));
  const Logits expected = feed_in(fresh, text, {});
  Instance fresh_other = open(options_with(kF16));
  const Logits expected_other = feed_in(fresh_other, other, {});
  Instance sharing = open(options_with(kF16, 2));
  step(sharing, rows_of(text, 0, 69));
  KvPages& pages = sharing.decoder->cache().pages();
  pages.attach(1, pages.pages(0), 68);
  std::vector<Row> rows = rows_of(other, 68, 3, 1);
  for (const Row& row : rows_of(text, 69, 2)) rows.push_back(row);
  const Logits got = step(sharing, rows);
  EXPECT_EQ(first_difference({got.begin(), got.begin() + 3}, {expected_other.begin() + 68, expected_other.end()}), -1);
  EXPECT_EQ(first_difference({got.begin() + 3, got.end()}, {expected.begin() + 69, expected.end()}), -1);
  EXPECT_EQ(pages.pages(0)[0], pages.pages(1)[0]);
  EXPECT_NE(pages.pages(0)[1], pages.pages(1)[1]);
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderBits, testing::ValuesIn(everywhere()));

class DecoderRules : public golden::Test {};

TEST_F(DecoderRules, LogitsOfAnyRowsInAnyOrder) {
  Instance instance("llama", make_ref_backend(), options_with(kF32));
  const std::vector<int32_t> ids = golden::prompt_ids("llama", "p64");
  const Logits all = step(instance, rows_of(ids, 0, 64));
  const std::vector<int> indices = {63, 0, 17, 17};
  const std::span<const float> some = instance.decoder->logits(indices);
  ASSERT_EQ(some.size(), indices.size() * all[0].size());
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto row = some.subspan(i * all[0].size(), all[0].size());
    EXPECT_EQ(std::vector<float>(row.begin(), row.end()), all[static_cast<size_t>(indices[i])]);
  }
  EXPECT_TRUE(instance.decoder->logits({}).empty());
  EXPECT_THROW(instance.decoder->logits(std::vector<int>{64}), InternalError);
}

TEST_F(DecoderRules, BadRowsChangeNothing) {
  Instance instance("llama", make_ref_backend(), options_with(kF32, 2));
  const std::vector<int32_t> ids = golden::prompt_ids("llama", "p7");
  instance.feed(ids);
  const int n_free = instance.decoder->cache().pages().n_free();
  const int n = static_cast<int>(ids.size());
  const auto feed = [&](std::vector<Row> rows) { instance.decoder->forward(rows); };
  EXPECT_THROW(feed({{896, n, 0}}), Error);                                      // vocabulary
  EXPECT_THROW(feed({{-1, n, 0}}), Error);
  EXPECT_THROW(feed(std::vector<Row>(97, Row{1, n, 0})), Error);  // longer than a step
  EXPECT_THROW(feed({{1, n + 1, 0}}), InternalError);                            // a gap
  EXPECT_THROW(feed({{1, 0, 1}, {1, 2, 1}}), InternalError);                     // another
  EXPECT_THROW(feed({{1, 0, 2}}), InternalError);                                // no such sequence
  EXPECT_THROW(feed({{1, -1, 0}}), InternalError);
  EXPECT_EQ(instance.decoder->n_cached(0), n);
  EXPECT_EQ(instance.decoder->n_cached(1), 0);
  EXPECT_EQ(instance.decoder->cache().pages().n_free(), n_free);
  Instance fresh("llama", make_ref_backend(), options_with(kF32));
  fresh.feed(ids);
  EXPECT_EQ(instance.feed({5}, n), fresh.feed({5}, n));
}

TEST_F(DecoderRules, TheContextEnds) {
  DecoderOptions options = options_with(kF32);
  options.n_ctx = 10;
  Instance instance("llama", make_ref_backend(), options);
  instance.feed({1, 2, 3, 4, 5, 6, 7, 8, 9});
  instance.feed({10}, 9);
  EXPECT_THROW(instance.feed({11}, 10), Error);
  EXPECT_EQ(instance.decoder->n_cached(0), 10);
}

TEST_F(DecoderRules, AStepAllocatesNothing) {
  for (const char* name : {"glm4_moe_lite_mtp", "gpt_oss", "gemma2", "phi3"}) {
    auto owned = std::make_unique<golden::RecordingBackend>(make_ref_backend());
    golden::RecordingBackend& backend = *owned;
    DecoderOptions options = options_with(kF16);
    options.nextn = std::string(name) == "glm4_moe_lite_mtp";
    Instance instance(name, std::move(owned), options);
    const int before = backend.n_allocations;
    const std::vector<int32_t> ids = golden::prompt_ids(name, "p64");
    instance.feed(ids);
    instance.feed({1}, static_cast<int>(ids.size()));
    if (options.nextn) instance.decoder->forward_nextn(std::vector<int32_t>{2});
    EXPECT_EQ(backend.n_allocations, before) << name;
  }
}

TEST_F(DecoderRules, ThreadsChangeNoBit) {
  for (const char* name : {"glm4_moe_lite", "gpt_oss", "gemma3"}) {
    const std::vector<int32_t> ids = golden::prompt_ids(name, "p64");
    Instance one(name, make_cpu_backend({.n_threads = 1}), options_with(kF16));
    Instance five(name, make_cpu_backend({.n_threads = 5}), options_with(kF16));
    EXPECT_EQ(first_difference(feed_in(one, ids, {60}), feed_in(five, ids, {60})), -1) << name;
  }
}

/// Cached formats cost what their rounding costs. Relative to a value, f16 errs by 2^-12 / sqrt(3) (root mean square),
/// bf16 by eight times that, and q8_0, whose step is a block's largest of 32 values over 127, by about 35 times that if
/// values are normal. Through one layer the errors of logits keep these ratios, here within a factor of four.
TEST_F(DecoderRules, SmallerCachesErrAsTheirFormatsDo) {
  const std::vector<int32_t> ids = golden::prompt_ids("glm4_moe_lite_realdims", "p64");
  Instance exact("glm4_moe_lite_realdims", make_ref_backend(), options_with(kF32));
  const std::vector<float> expected = exact.feed(ids);
  const auto error = [&](DType dtype) {
    Instance instance("glm4_moe_lite_realdims", make_ref_backend(), options_with({dtype, dtype}));
    return golden::largest_difference(instance.feed(ids), expected);
  };
  const double f16 = error(DType::kF16);
  EXPECT_GT(f16, 0);
  EXPECT_LT(f16, 1e-2);
  EXPECT_GT(error(DType::kBF16), f16 * 8 / 4);
  EXPECT_LT(error(DType::kBF16), f16 * 8 * 4);
  EXPECT_GT(error(DType::kQ8_0), f16 * 35 / 4);
  EXPECT_LT(error(DType::kQ8_0), f16 * 35 * 4);
}

}  // namespace
}  // namespace glint
