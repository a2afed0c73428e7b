// SPDX-License-Identifier: Apache-2.0
//
// Online softmax (arXiv 1805.02867) page by page. A page is expanded to f32 once for all rows of the unit; scores are
// the same register tiles as a matmul's, with keys for weights. Tested by tests/unit/cpu/attend_test.cpp.
#include "cpu/attend_group.h"

#include <algorithm>
#include <limits>

namespace glint::cpu {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// Positions of a page, relative to its start.
struct Range {
  int begin;
  int end;
  bool empty() const { return begin >= end; }
  bool operator==(const Range&) const = default;
};

/// e^x by the kernels' own exp, which every thread and path must share.
float exp_of(float x, const Kernels& kernels) {
  return kernels.exp_sum(&x, 1, 0.0f);
}

class PageWorker {
 public:
  PageWorker(const AttendCall& call, const QueryRows& rows, std::span<RowState> states, const Kernels& kernels,
             Scratch& scratch)
      : call_(call), rows_(rows), states_(states), kernels_(kernels), scratch_(scratch) {
    scores_ = scratch.scores.reserve(static_cast<int64_t>(states.size()) * kPageTokens);
    scratch.inputs.reserve(2 * states.size());
    scratch.outputs.reserve(2 * states.size());
    factors_ = scratch.row.reserve(static_cast<int64_t>(states.size()));
  }

  void run(int page) {
    const Range all = seen_by_any(page);
    if (all.empty()) return;
    const int64_t row = physical_row(page) + all.begin;
    const CacheRows::View keys = call_.keys.load(row, all.end - all.begin, rows_.kv_head, scratch_.keys);
    score(keys, page, all);
    const bool separate = call_.layer.v != nullptr;
    const CacheRows::View values =
        separate ? call_.values.load(row, all.end - all.begin, rows_.kv_head, scratch_.values) : keys;
    for (int i = 0; i < rows_.n_tokens;) {
      const Range range = seen(page, i);
      int last = i + 1;
      while (last < rows_.n_tokens && seen(page, last) == range) ++last;
      if (!range.empty()) add_values(values, i, last, {range.begin - all.begin, range.end - all.begin});
      i = last;
    }
  }

 private:
  Range seen(int page, int i) const {
    const int start = page * kPageTokens;
    const int t = rows_.first_token + i;
    return {std::max(call_.first_position(t) - start, 0), std::min(call_.end_position(t) - start, kPageTokens)};
  }

  Range seen_by_any(int page) const {
    Range all{kPageTokens, 0};
    for (int i = 0; i < rows_.n_tokens; ++i) {
      const Range range = seen(page, i);
      if (!range.empty()) all = {std::min(all.begin, range.begin), std::max(all.end, range.end)};
    }
    return all;
  }

  int64_t physical_row(int page) const {
    GLINT_CHECK(page < call_.batch.max_pages);
    const int64_t sequence = call_.batch.sequences[rows_.first_token];
    return static_cast<int64_t>(call_.batch.page_table[sequence * call_.batch.max_pages + page]) * kPageTokens;
  }

  /// Scores of all rows that see something of the page; those of positions that a row does not see are not used.
  void score(const CacheRows::View& keys, int page, const Range& all) {
    scratch_.inputs.clear();
    scratch_.outputs.clear();
    for (int i = 0; i < rows_.n_tokens; ++i) {
      if (seen(page, i).empty()) continue;
      for (int j = 0; j < rows_.n_heads; ++j) {
        scratch_.inputs.push_back(call_.q.head(rows_.first_token + i, rows_.first_head + j));
        scratch_.outputs.push_back(scores_ + (i * rows_.n_heads + j) * kPageTokens);
      }
    }
    const int count = all.end - all.begin;
    Panel panel;
    panel.n = call_.layer.d_k;
    for (int first = 0; first < count; first += kPanelRows) {
      panel.n_rows = std::min(kPanelRows, count - first);
      for (int r = 0; r < kPanelRows; ++r) {
        panel.rows[r] = keys.data + (first + std::min(r, panel.n_rows - 1)) * keys.stride;
      }
      kernels_.multiply_panel(panel, scratch_.inputs.data(), static_cast<int>(scratch_.inputs.size()),
                              scratch_.outputs.data(), first, nullptr, nullptr);
    }
  }

  /// Tokens [first, last), which see the same range (relative to the scores).
  void add_values(const CacheRows::View& values, int first, int last, const Range& range) {
    scratch_.inputs.clear();
    scratch_.outputs.clear();
    const int count = range.end - range.begin;
    for (int r = first * rows_.n_heads; r < last * rows_.n_heads; ++r) {
      RowState& state = states_[static_cast<size_t>(r)];
      float* scores = scores_ + r * kPageTokens + range.begin;
      kernels_.scale_softcap(scores, count, call_.params.scale, call_.params.softcap);
      const float largest = std::max(state.largest, kernels_.largest(scores, count));
      const float factor = exp_of(state.largest - largest, kernels_);
      state.total = state.total * factor + kernels_.exp_sum(scores, count, largest);
      state.largest = largest;
      factors_[scratch_.inputs.size()] = factor;
      scratch_.inputs.push_back(scores);
      scratch_.outputs.push_back(state.sums);
    }
    kernels_.accumulate_values(values.data + range.begin * values.stride, values.stride, count, scratch_.inputs.data(),
                               scratch_.outputs.data(), factors_, static_cast<int>(scratch_.inputs.size()),
                               call_.layer.d_v);
  }

  const AttendCall& call_;
  const QueryRows& rows_;
  const std::span<RowState> states_;
  const Kernels& kernels_;
  Scratch& scratch_;
  float* scores_;   // [rows, kPageTokens]
  float* factors_;  // [rows]
};

}  // namespace

AttendCall::AttendCall(const Tensor& out_rows, const Tensor& q_rows, const KvLayer& kv_layer, const Batch& a_batch,
                       const AttendParams& attend_params, CpuLevel level)
    : out(out_rows),
      q(q_rows),
      layer(kv_layer),
      batch(a_batch),
      params(attend_params),
      keys(kv_layer.k, kv_layer.k_dtype, kv_layer.n_kv, kv_layer.d_k, level),
      values(kv_layer.v == nullptr ? keys
                                   : CacheRows(kv_layer.v, kv_layer.v_dtype, kv_layer.n_kv, kv_layer.d_v, level)),
      heads_per_kv(q_rows.n_heads / kv_layer.n_kv) {
  GLINT_CHECK(q.n_rows == batch.n_tokens && out.n_rows == batch.n_tokens && out.n_heads == q.n_heads);
  GLINT_CHECK(q.width == layer.d_k && out.width == layer.d_v && q.n_heads % layer.n_kv == 0);
  GLINT_CHECK(layer.v != nullptr || layer.d_v <= layer.d_k);
}

void attend_group(const AttendCall& call, const QueryRows& rows, int group, std::span<RowState> states,
                  const Kernels& kernels, Scratch& scratch) {
  int end = 0;
  for (int i = 0; i < rows.n_tokens; ++i) end = std::max(end, call.end_position(rows.first_token + i));
  for (RowState& state : states) {
    std::fill_n(state.sums, call.layer.d_v, 0.0f);
    state.largest = kLowest;
    state.total = 0;
  }
  PageWorker worker(call, rows, states, kernels, scratch);
  const int last_page = std::min((group + 1) * kGroupPages, (end + kPageTokens - 1) / kPageTokens);
  for (int page = group * kGroupPages; page < last_page; ++page) worker.run(page);
}

void join(RowState& state, const RowState& next, int d_v, const Kernels& kernels) {
  if (next.total == 0) return;
  if (state.total == 0) {  // not by the formula: 0 + next would turn a negative zero positive
    std::copy_n(next.sums, d_v, state.sums);
    state.largest = next.largest;
    state.total = next.total;
    return;
  }
  const float largest = std::max(state.largest, next.largest);
  const float factor = exp_of(state.largest - largest, kernels);
  const float next_factor = exp_of(next.largest - largest, kernels);
  kernels.scale(state.sums, d_v, factor);
  kernels.add_scaled(state.sums, next.sums, d_v, next_factor);
  state.total = state.total * factor + next.total * next_factor;
  state.largest = largest;
}

void finish(const RowState& state, const float* sink, int d_v, const Kernels& kernels) {
  float factor = 1;
  float total = state.total;
  if (sink != nullptr) {
    const float largest = std::max(state.largest, *sink);
    factor = exp_of(state.largest - largest, kernels);
    total = total * factor + exp_of(*sink - largest, kernels);
  }
  kernels.scale(state.sums, d_v, factor / total);
}

}  // namespace glint::cpu
