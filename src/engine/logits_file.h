// SPDX-License-Identifier: Apache-2.0
//
// The file that `--kl-divergence-base` writes and reads, in llama.cpp's layout: the tokens of a text in chunks of
// n_ctx, and behind them, for each position of a chunk's second half, the log-probabilities of the whole vocabulary in
// 16 bits.
//
//   "_logits_"                      8 bytes
//   n_ctx, n_vocab, n_chunks        int32 each, little-endian as all that follows
//   tokens                          int32 [n_chunks][n_ctx]
//   rows                            [n_chunks][n_scored] of: float step, float least, uint16 code [n_vocab, made even]
//
// log p(id) = step * code + least. Logits more than 16 below the largest get code 0, so that a log-probability not
// above -16 means "so or less". n_scored is n_ctx - 1 - n_ctx / 2: position n_ctx / 2 and up, but for the last, which
// has no next token here.
// Whatever a file says is checked against its size before it is used. Depends on base alone, for tests/fuzz.
// Used by engine/perplexity and apps/perplexity. Tested by tests/unit/engine/logits_file_test.cpp.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_map.h"
#include "engine/distribution.h"

namespace glint {

/// Base log-probabilities that are not above this are not known.
constexpr double kLeastStoredLogP = -16;

struct LogitsFileShape {
  int32_t n_ctx = 0;  // at least 3
  int32_t n_vocab = 0;
  int32_t n_chunks = 0;

  int32_t n_scored() const { return n_ctx - 1 - n_ctx / 2; }                // positions of a chunk
  int64_t row_codes() const { return 4 + (int64_t{n_vocab} + 1) / 2 * 2; }  // uint16 values of a row
  int64_t chunk_bytes() const;                                              // in all, its tokens too
};

/// A row as it is stored: `row` is [row_codes()].
void encode_row(const Distribution& distribution, std::span<uint16_t> row);

class LogitsFile {
 public:
  /// Throws Error, naming the file, for what is no such file, is torn, or holds a token outside its vocabulary.
  static LogitsFile open(const std::string& path);
  /// The same of bytes that stay; `name` for messages.
  static LogitsFile parse(std::span<const std::byte> bytes, std::string name);

  const LogitsFileShape& shape() const { return shape_; }
  std::vector<int32_t> tokens() const;  // [n_chunks * n_ctx]
  /// The log-probabilities of one position, written to `values` [n_vocab]; chunk in [0, n_chunks), position in
  /// [0, n_scored). Safe from many threads. Throws Error for a row that no probabilities give.
  Distribution row(int chunk, int position, std::span<float> values) const;

 private:
  LogitsFile(std::span<const std::byte> bytes, std::string name);

  std::optional<FileMap> map_;
  std::span<const std::byte> bytes_;
  std::string name_;
  LogitsFileShape shape_;
};

/// Writes under another name and takes the right one in finish(); without that, nothing is left.
class LogitsFileWriter {
 public:
  /// tokens: [n_chunks * n_ctx]. Throws Error when the disk has no room for the whole, when something is of this name
  /// that is no such file, and, as all that follow, when the system refuses to write.
  LogitsFileWriter(std::string path, const LogitsFileShape& shape, std::span<const int32_t> tokens);

  const LogitsFileShape& shape() const { return shape_; }
  /// Rows of encode_row, in the order of their positions.
  void add(std::span<const uint16_t> rows);
  /// PRECOND: every row was added.
  void finish();

 private:
  struct Discard {
    std::string path;
    void operator()(std::FILE* file) const;
  };
  void write(const void* data, size_t bytes);
  [[noreturn]] void refuse(int reason) const;

  std::string path_;
  LogitsFileShape shape_;
  int64_t rows_left_ = 0;
  std::unique_ptr<std::FILE, Discard> file_;  // under another name; null when finished
};

}  // namespace glint
