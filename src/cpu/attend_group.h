// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of attention: a group of pages for query rows that share a key/value head, and what joins groups.
// Called by attend.cpp, which decides who does what. Tested by tests/unit/cpu/attend_test.cpp.
#pragma once

#include <span>

#include "backend/params.h"
#include "cpu/kv_rows.h"
#include "cpu/workers.h"

namespace glint::cpu {

/// Pages that are worked through one after another; groups of them may go to different threads.
inline constexpr int kGroupPages = 16;
inline constexpr int kGroupTokens = kGroupPages * kPageTokens;

/// Arguments of Backend::attend and what follows from them.
struct AttendCall {
  AttendCall(const Tensor& out_rows, const Tensor& q_rows, const KvLayer& kv_layer, const Batch& a_batch,
             const AttendParams& attend_params, CpuLevel level);

  /// First position that token t sees.
  int first_position(int t) const {
    return params.window > 0 && batch.positions[t] >= params.window ? batch.positions[t] - params.window + 1 : 0;
  }
  int end_position(int t) const { return batch.positions[t] + 1; }

  const float* sink(int head) const { return params.sinks == nullptr ? nullptr : params.sinks + head; }

  const Tensor& out;
  const Tensor& q;
  const KvLayer& layer;
  const Batch& batch;
  const AttendParams& params;
  const CacheRows keys;
  const CacheRows values;  // of K if the layer has no V
  const int heads_per_kv;
};

/// Tokens of one sequence and query heads of one key/value head; row i * n_heads + j is token i, head j.
struct QueryRows {
  int first_token;
  int n_tokens;
  int kv_head;
  int first_head;
  int n_heads;
};

/// Softmax over the positions so far: sums[d_v] = sum of e^(score - largest) * value, total = sum of e^(score -
/// largest). total is 0 only while no position was seen.
struct RowState {
  float* sums;
  float largest;
  float total;
};

/// Sets the state of every row from the positions that it sees in one group.
void attend_group(const AttendCall& call, const QueryRows& rows, int group, std::span<RowState> states,
                  const Kernels& kernels, Scratch& scratch);

/// Adds the positions of `next`, which follow those of `state`.
void join(RowState& state, const RowState& next, int d_v, const Kernels& kernels);

/// Turns sums into the result; sink as in AttendParams, or null.
void finish(const RowState& state, const float* sink, int d_v, const Kernels& kernels);

}  // namespace glint::cpu
