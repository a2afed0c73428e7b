// SPDX-License-Identifier: Apache-2.0
//
// How well a model predicts a text, cut into chunks as llama-perplexity cuts it, and how its predictions differ from
// those of another engine or of a stored run. A chunk's logits never lie in memory as a whole: blocks of some positions
// are fetched, of both engines where there are two, and dealt with on several threads. Results depend on neither. Used
// by apps/perplexity.cpp. Tested by tests/unit/engine/perplexity_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "engine/divergence.h"
#include "engine/engine.h"
#include "engine/logits_file.h"

namespace glint {

struct ChunkOptions {
  int n_ctx = 512;    // tokens of a chunk; at least 3
  int stride = 0;     // 0: chunks follow each other, the second half of each is scored. Else: chunks of
                      // n_ctx + stride / 2 tokens begin every `stride` tokens, and the last `stride` of each are scored
  int n_chunks = -1;  // at most; -1: as many as the text has
};

/// One evaluation with an empty cache. Positions [first, ids.size() - 1) are scored: each by what it says of the next
/// id.
struct Chunk {
  std::vector<int32_t> ids;
  int first = 0;
  int n_scored() const { return static_cast<int>(ids.size()) - 1 - first; }
};

class ChunkedText {
 public:
  /// Throws Error for options that make no sense and for a text shorter than one chunk. `bos` takes the place of each
  /// chunk's first id.
  ChunkedText(std::vector<int32_t> ids, const ChunkOptions& options, std::optional<int32_t> bos);

  int size() const { return n_chunks_; }
  int tokens_of_chunk() const { return length_; }
  Chunk operator[](int index) const;
  /// The text's ids that chunks are made of, without `bos`.
  std::span<const int32_t> ids() const { return ids_; }

 private:
  std::vector<int32_t> ids_;
  std::optional<int32_t> bos_;
  int length_ = 0, step_ = 0, first_ = 0, n_chunks_ = 0;
};

/// Scores chunks on one engine. Each function may be told how far it is and throw to give up; each throws Error where
/// the logits are no numbers. Not for several threads.
class PerplexityRun {
 public:
  using Progress = std::function<void(int done, int total)>;  // scored positions of the chunk

  /// The engine must outlive this and hold a chunk. Sequence 0 is overwritten.
  PerplexityRun(Engine& engine, Progress progress);

  /// Appends the negative log-likelihood (nats) of each scored position; writes its distribution too where there is a
  /// file.
  void score(const Chunk& chunk, std::vector<double>& nll, LogitsFileWriter* file = nullptr);
  /// The base computes the same chunk.
  void compare_with(Engine& base, const Chunk& chunk, DivergenceSamples& divergence);
  /// The base is a stored chunk.
  void compare_with(const LogitsFile& base, int index, const Chunk& chunk, DivergenceSamples& divergence);

 private:
  /// Logits [n, n_vocab] of a block of rows, from position `first` of the chunk on, of each engine.
  using Block = std::function<void(int first, int n, std::span<const std::span<const float>> logits)>;
  void for_each_block(std::span<Engine* const> engines, const Chunk& chunk, const Block& fn);
  std::span<const float> row(std::span<const float> logits, int index) const;

  Engine& engine_;
  Progress progress_;
  ThreadPool pool_;
};

}  // namespace glint
