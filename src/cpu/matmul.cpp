// SPDX-License-Identifier: Apache-2.0
//
// A unit of work is 8 weight rows by a block of x's rows in a group. The weight rows are expanded to f32 piece by piece
// into a panel that stays in the first-level cache while x streams past it, from the second or third; between pieces
// the eight-lane sums wait in `lanes`. So each weight is unpacked once for each block of tokens, and from about 16
// tokens on the cost of that vanishes. Unpacking and multiplying in one go, without the panel, was measured to be no
// faster for a single token either: the conversion to f32 is what takes the time. Tested by
// tests/unit/cpu/matmul_test.cpp.
#include "cpu/matmul.h"

#include <algorithm>

#include "cpu/unpack.h"

namespace glint::cpu {
namespace {

// Measured on Zen 3 (32 KB first-level, 512 KB second-level cache), see bench/cpu_bench.cpp.
constexpr int64_t kLongestPiece = 768;              // panel: 8 x 768 x 4 B = 24 KB
constexpr int64_t kPieceMultiple = 256;             // every block length divides it
constexpr int kTokenBlock = 240;                    // lanes: 240 x 256 B = 60 KB
constexpr int64_t kBlockFloats = int64_t{1} << 20;  // of x in a block: 4 MB, a share of the third-level cache

/// Rows of x in a block: a multiple of the register tile's 3.
int block_rows(int n_in) {
  const int64_t fitting = kBlockFloats / n_in / 3 * 3;
  return static_cast<int>(std::clamp<int64_t>(fitting, 48, kTokenBlock));
}

/// Nearly equal pieces of whole blocks, none longer than kLongestPiece.
int64_t piece_length(int64_t n_in) {
  const int64_t n_pieces = (n_in + kLongestPiece - 1) / kLongestPiece;
  if (n_pieces <= 1) return n_in;
  const int64_t even = (n_in + n_pieces - 1) / n_pieces;
  return (even + kPieceMultiple - 1) / kPieceMultiple * kPieceMultiple;
}

class PanelMultiplier {
 public:
  PanelMultiplier(const Product& product, const Workers& workers)
      : product_(product),
        weight_(product.weight),
        kernels_(workers.kernels),
        unpack_(weight_.dtype == DType::kF32 ? nullptr : unpack_function(weight_.dtype, workers.level)),
        row_bytes_(row_bytes(weight_.dtype, weight_.n_in)),
        piece_(piece_length(weight_.n_in)),
        piece_bytes_(row_bytes(weight_.dtype, piece_)) {}

  /// Rows [row_begin, row_begin + 8) of the group's matrix, or fewer at its end, times the group's rows of x from
  /// first_token on, at most n_tokens <= kTokenBlock.
  void run(const RowGroup& group, int row_begin, int first_token, int n_tokens, Scratch& scratch) const {
    n_tokens = std::min(n_tokens, group.n_rows - first_token);
    if (n_tokens <= 0) return;
    const int first = group.first_row + first_token;
    const int64_t first_row = static_cast<int64_t>(group.matrix) * weight_.n_out;
    const std::byte* rows = static_cast<const std::byte*>(weight_.data) + (first_row + row_begin) * row_bytes_;
    const float* bias = weight_.bias == nullptr ? nullptr : weight_.bias + first_row + row_begin;
    float* lanes = scratch.lanes.reserve(kTokenBlock * kPanelRows * 8);
    Panel panel;
    panel.n_rows = std::min(kPanelRows, weight_.n_out - row_begin);
    for (int64_t k = 0; k < weight_.n_in; k += piece_) {
      panel.k_begin = k;
      panel.n = std::min<int64_t>(piece_, weight_.n_in - k);
      panel.first = k == 0;
      panel.last = k + panel.n == weight_.n_in;
      expand(rows, panel, scratch);
      kernels_.multiply_panel(panel, product_.x + first, n_tokens, product_.out + first, row_begin, bias, lanes);
    }
  }

 private:
  /// Points the panel at its piece of the weight rows, in place if they are f32.
  void expand(const std::byte* rows, Panel& panel, Scratch& scratch) const {
    const int64_t offset = row_bytes(weight_.dtype, panel.k_begin);
    for (int r = 0; r < panel.n_rows; ++r) {
      const std::byte* source = rows + r * row_bytes_ + offset;
      if (unpack_ == nullptr) {
        panel.rows[r] = reinterpret_cast<const float*>(source);
        continue;
      }
      // The next piece of this row, or the row's successor in the next panel: each row is read in short runs, too short
      // for the processor to foresee the next.
      const std::byte* next = source + (panel.last ? kPanelRows * row_bytes_ - offset : piece_bytes_);
      for (int64_t i = 0; i < piece_bytes_; i += 64) __builtin_prefetch(next + i);
      float* expanded = scratch.panel.reserve(kPanelRows * piece_) + r * piece_;
      unpack_(source, panel.n, expanded);
      panel.rows[r] = expanded;
    }
    for (int r = panel.n_rows; r < kPanelRows; ++r) panel.rows[r] = panel.rows[0];
  }

  const Product& product_;
  const Weight& weight_;
  const Kernels& kernels_;
  const UnpackFunction unpack_;
  const int64_t row_bytes_;
  const int64_t piece_;
  const int64_t piece_bytes_;
};

}  // namespace

void multiply(const Product& product, Workers& workers) {
  const Weight& weight = product.weight;
  const PanelMultiplier multiplier(product, workers);
  const int64_t panels = (weight.n_out + kPanelRows - 1) / kPanelRows;
  const auto n_groups = static_cast<int64_t>(product.groups.size());
  const int block = block_rows(weight.n_in);
  int most_rows = 0;
  for (const RowGroup& group : product.groups) most_rows = std::max(most_rows, group.n_rows);
  // Blocks one after another, so that all threads read the same rows of x at a time.
  for (int first = 0; first < most_rows; first += block) {
    int64_t n_rows = 0;
    for (const RowGroup& group : product.groups) n_rows += std::clamp(group.n_rows - first, 0, block);
    // Per weight about 0.1 ns to unpack and 0.02 ns for each row that it multiplies.
    const double rows_per_group = static_cast<double>(n_rows) / static_cast<double>(n_groups);
    const double cost = kPanelRows * static_cast<double>(weight.n_in) * (0.1 + 0.02 * rows_per_group);
    workers.share(n_groups * panels, cost, [&](int64_t begin, int64_t end, int thread) {
      Scratch& scratch = workers.scratch[static_cast<size_t>(thread)];
      for (int64_t unit = begin; unit < end; ++unit) {
        const RowGroup& group = product.groups[static_cast<size_t>(unit / panels)];
        multiplier.run(group, static_cast<int>(unit % panels) * kPanelRows, first, block, scratch);
      }
    });
  }
}

}  // namespace glint::cpu
