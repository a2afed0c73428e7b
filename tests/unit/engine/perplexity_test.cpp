// SPDX-License-Identifier: Apache-2.0
//
// Chunks as llama-perplexity cuts them, and scores that are those of each position alone: on the embedded demo model,
// against its logits one by one.
#include "engine/perplexity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>

#include "base/check.h"

namespace glint {
namespace {

std::vector<int32_t> count_to(int n) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

TEST(ChunkedTextTest, ChunksFollowEachOther) {
  const ChunkedText text(count_to(25), {.n_ctx = 8}, std::nullopt);
  EXPECT_EQ(text.size(), 3);  // what is left is less than a chunk
  EXPECT_EQ(text.ids().size(), 24U);
  EXPECT_EQ(text[1].ids, (std::vector<int32_t>{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(text[1].first, 4);
  EXPECT_EQ(text[1].n_scored(), 3);  // 4, 5 and 6 say what follows them; of 7 nobody knows
  EXPECT_EQ(ChunkedText(count_to(25), {.n_ctx = 8, .n_chunks = 2}, std::nullopt).size(), 2);
  EXPECT_EQ(ChunkedText(count_to(25), {.n_ctx = 8, .n_chunks = 9}, std::nullopt).size(), 3);
  EXPECT_EQ(ChunkedText(count_to(3), {.n_ctx = 3}, std::nullopt)[0].n_scored(), 1);
}

TEST(ChunkedTextTest, TheBeginningOfTextTakesTheFirstPlace) {
  const ChunkedText text(count_to(16), {.n_ctx = 8}, 77);
  EXPECT_EQ(text[1].ids, (std::vector<int32_t>{77, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(text.ids()[8], 8);
}

TEST(ChunkedTextTest, StridesScoreEveryTokenOnce) {
  const ChunkedText text(count_to(21), {.n_ctx = 8, .stride = 4}, std::nullopt);
  EXPECT_EQ(text.tokens_of_chunk(), 10);
  EXPECT_EQ(text.size(), 3);  // from 0, 4 and 8
  std::vector<int32_t> scored;
  for (int i = 0; i < text.size(); ++i) {
    const Chunk chunk = text[i];
    for (size_t at = static_cast<size_t>(chunk.first); at + 1 < chunk.ids.size(); ++at)
      scored.push_back(chunk.ids[at + 1]);
  }
  EXPECT_EQ(scored, (std::vector<int32_t>{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
}

TEST(ChunkedTextTest, RefusesWhatMakesNoSense) {
  const auto cut = [](int n_ids, ChunkOptions options) { ChunkedText(count_to(n_ids), options, std::nullopt); };
  EXPECT_THROW(cut(7, {.n_ctx = 8}), Error);
  EXPECT_THROW(cut(0, {.n_ctx = 8}), Error);
  EXPECT_THROW(cut(10, {.n_ctx = 2}), Error);
  EXPECT_THROW(cut(10, {.n_ctx = 0}), Error);
  EXPECT_THROW(cut(100, {.n_ctx = 8, .stride = 9}), Error);
  EXPECT_THROW(cut(100, {.n_ctx = 8, .stride = -1}), Error);
  EXPECT_THROW(cut(100, {.n_ctx = 8, .n_chunks = 0}), Error);
}

constexpr int kChunk = 100;  // its scored half goes over a block of rows

Engine open_demo(DType cache = DType::kF16, int n_ubatch = 512, int n_threads = 2) {
  EngineOptions options;
  options.n_threads = n_threads;
  options.n_ctx = kChunk;
  options.n_ubatch = n_ubatch;
  options.k_dtype = options.v_dtype = cache;
  return Engine::open(gguf::File::open(std::string(GLINT_TEST_DATA) + "/../../models/glint-demo.gguf"), options);
}

ChunkedText text_of(const Engine& engine) {
  std::vector<int32_t> ids(2 * kChunk);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>((i * i * 37 + 11 * i) % static_cast<size_t>(engine.model().spec.n_vocab));
  }
  return ChunkedText(std::move(ids), {.n_ctx = kChunk}, std::nullopt);
}

/// The logits of each scored position, one after another.
std::vector<std::vector<float>> scored_rows(Engine& engine, const Chunk& chunk) {
  std::vector<std::vector<float>> rows;
  int position = 0;
  engine.for_each_logits(chunk.ids, true, [&](std::span<const float> row) {
    if (position >= chunk.first && position < kChunk - 1) rows.emplace_back(row.begin(), row.end());
    ++position;
  });
  return rows;
}

std::vector<double> one_by_one(Engine& engine, const Chunk& chunk) {
  std::vector<double> nll;
  for (const std::vector<float>& row : scored_rows(engine, chunk)) {
    nll.push_back(-softmax_of(row).log_p(chunk.ids[static_cast<size_t>(chunk.first) + nll.size() + 1]));
  }
  return nll;
}

TEST(PerplexityRunTest, ScoresEachPositionAsAlone) {
  for (const auto& [n_ubatch, n_threads] : {std::pair{512, 2}, {7, 1}, {64, 3}}) {
    Engine engine = open_demo(DType::kF16, n_ubatch, n_threads);
    const ChunkedText text = text_of(engine);
    int n_done = 0;
    PerplexityRun run(engine, [&](int done, int total) {
      EXPECT_GT(done, n_done);
      EXPECT_EQ(total, kChunk / 2 - 1);
      n_done = done;
    });
    std::vector<double> nll;
    run.score(text[0], nll);
    EXPECT_EQ(n_done, kChunk / 2 - 1);
    n_done = 0;
    run.score(text[1], nll);
    std::vector<double> expected = one_by_one(engine, text[0]);
    for (double value : one_by_one(engine, text[1])) expected.push_back(value);
    EXPECT_EQ(nll, expected);
  }
}

TEST(PerplexityRunTest, AnEngineDoesNotDifferFromItself) {
  Engine engine = open_demo(), again = open_demo(DType::kF16, 30, 1);
  DivergenceSamples divergence;
  PerplexityRun(engine, nullptr).compare_with(again, text_of(engine)[1], divergence);
  ASSERT_EQ(divergence.size(), kChunk / 2 - 1);
  for (double kl : divergence.kl) EXPECT_EQ(kl, 0);
  EXPECT_EQ(divergence.nll, divergence.base_nll);
  EXPECT_TRUE(divergence.gaps.empty());
}

TEST(PerplexityRunTest, TheOtherEngineIsTheBase) {
  Engine engine = open_demo(DType::kQ8_0), exact = open_demo(DType::kF32);
  const Chunk chunk = text_of(engine)[0];
  DivergenceSamples divergence;
  PerplexityRun(engine, nullptr).compare_with(exact, chunk, divergence);
  EXPECT_EQ(divergence.nll, one_by_one(engine, chunk));
  EXPECT_EQ(divergence.base_nll, one_by_one(exact, chunk));
  const auto tested = scored_rows(engine, chunk), base = scored_rows(exact, chunk);
  ASSERT_EQ(divergence.kl.size(), tested.size());
  for (size_t i = 0; i < tested.size(); ++i) {
    EXPECT_EQ(divergence.kl[i], compare(softmax_of(base[i]), softmax_of(tested[i]), 0).kl) << i;
    EXPECT_GT(divergence.kl[i], 0);  // 8 bits are seen
  }
}

TEST(PerplexityRunTest, AStoredRunIsABaseToo) {
  const std::string path = testing::TempDir() + "glint_perplexity_" + std::to_string(getpid()) + ".kld";
  Engine engine = open_demo(DType::kQ8_0), exact = open_demo(DType::kF32);
  const ChunkedText text = text_of(engine);
  DivergenceSamples direct, stored;
  PerplexityRun run(engine, nullptr), exact_run(exact, nullptr);
  {
    LogitsFileWriter writer(path, {kChunk, engine.model().spec.n_vocab, text.size()}, text.ids());
    std::vector<double> nll, expected;
    for (int i = 0; i < text.size(); ++i) {
      exact_run.score(text[i], nll, &writer);
      exact_run.score(text[i], expected);
    }
    EXPECT_EQ(nll, expected);
    writer.finish();
  }
  const LogitsFile file = LogitsFile::open(path);
  for (int i = 0; i < text.size(); ++i) {
    run.compare_with(exact, text[i], direct);
    run.compare_with(file, i, text[i], stored);
  }
  std::remove(path.c_str());
  EXPECT_EQ(stored.nll, direct.nll);
  ASSERT_EQ(stored.size(), direct.size());
  for (size_t i = 0; i < direct.kl.size(); ++i) {
    // Half a step of the 16 nats in 65535; what lies below them is stored as 16 below the largest.
    if (direct.base_nll[i] < 16) {
      EXPECT_NEAR(stored.base_nll[i], direct.base_nll[i], 8.0 / 65535 + 1e-5);
    }
    // Each term p (log p - log q) moves by p d (1 + log p - log q), d at most that half step.
    EXPECT_NEAR(stored.kl[i], direct.kl[i], 2 * (8.0 / 65535 + 1e-5)) << i;
  }
}

}  // namespace
}  // namespace glint
