// SPDX-License-Identifier: Apache-2.0
//
// Attention over the paged cache on the CPU: who does which rows. Called by cpu_backend.cpp.
// Tested by tests/unit/cpu/attend_test.cpp.
#pragma once

#include <span>
#include <vector>

#include "backend/params.h"
#include "cpu/attend_group.h"
#include "cpu/workers.h"

namespace glint::cpu {

/// Backend::attend. The object only keeps working memory between calls.
///
/// The canonical order, for each token and query head alone: positions in groups of kGroupPages pages. In a group, page
/// by page, ascending: the scores (canonical dot products), their largest value, exp and sum; sums so far are scaled to
/// the new largest value, then each value row is added in turn. The groups' results are joined in order. So the work of
/// one token can be split between threads by groups, and neither that nor the tokens it shares pages with show in bits.
class Attention {
 public:
  void run(const Tensor& out, const Tensor& q, const KvLayer& layer, const Batch& batch, const AttendParams& params,
           Workers& workers);

 private:
  /// Tokens of one sequence that are attended together, so that a page is expanded once for all of them.
  struct Tile {
    int first_token;
    int n_tokens;
    int first_group;
    int n_groups;
    int64_t first_unit;  // units of the tiles before, when split by groups
  };

  void make_tiles(const AttendCall& call);
  void run_whole(const AttendCall& call, int head_parts, Workers& workers);
  void run_split(const AttendCall& call, int head_parts, Workers& workers);
  void join_partials(const AttendCall& call, Workers& workers);
  static void attend_whole(const AttendCall& call, const Tile& tile, const QueryRows& rows, const Kernels& kernels,
                           Scratch& scratch, std::vector<RowState>& states);
  static QueryRows rows_of(const AttendCall& call, const Tile& tile, int head_unit, int head_parts);
  float* partial(const AttendCall& call, int64_t group_unit, int token, int head);
  std::vector<RowState>& states_of(int thread) { return states_[static_cast<size_t>(thread)]; }

  std::vector<Tile> tiles_;
  std::vector<std::vector<RowState>> states_;  // of each thread
  FloatArray partials_;                        // [group of tile, token, head] rows of d_v sums, largest, total
};

}  // namespace glint::cpu
