// SPDX-License-Identifier: Apache-2.0
//
// Cuts attention into units for the threads: (tile of tokens) x (key/value head), each over all its positions. With too
// few of those (a single token) units are split by groups of pages, whose results are joined afterwards, and then by
// query heads, which costs expanding the same keys more than once. Tested by tests/unit/cpu/attend_test.cpp.
#include "cpu/attend.h"

#include <algorithm>

namespace glint::cpu {
namespace {

// Query rows of a unit that share the cost of expanding a page: from about 32 on it is below a tenth.
constexpr int kTileRows = 32;
// Floats of group results that a call may keep (64 MB); beyond, there is work enough without splitting.
constexpr int64_t kMaxPartials = int64_t{16} << 20;

}  // namespace

void Attention::make_tiles(const AttendCall& call) {
  const int tile_tokens = (kTileRows + call.heads_per_kv - 1) / call.heads_per_kv;
  const Batch& batch = call.batch;
  tiles_.clear();
  int64_t first_unit = 0;
  for (int t = 0; t < batch.n_tokens;) {
    int first = call.first_position(t);
    int end = 0;
    int last = t;
    for (; last < batch.n_tokens && last < t + tile_tokens && batch.sequences[last] == batch.sequences[t]; ++last) {
      first = std::min(first, call.first_position(last));
      end = std::max(end, call.end_position(last));
    }
    const int first_group = first / kGroupTokens;
    const int n_groups = (end + kGroupTokens - 1) / kGroupTokens - first_group;
    tiles_.push_back({t, last - t, first_group, n_groups, first_unit});
    first_unit += n_groups;
    t = last;
  }
}

QueryRows Attention::rows_of(const AttendCall& call, const Tile& tile, int head_unit, int head_parts) {
  const int kv_head = head_unit / head_parts;
  const int part = head_unit % head_parts;
  const int begin = call.heads_per_kv * part / head_parts;
  const int end = call.heads_per_kv * (part + 1) / head_parts;
  return {tile.first_token, tile.n_tokens, kv_head, kv_head * call.heads_per_kv + begin, end - begin};
}

void Attention::run(const Tensor& out, const Tensor& q, const KvLayer& layer, const Batch& batch,
                    const AttendParams& params, Workers& workers) {
  if (batch.n_tokens == 0) return;
  const AttendCall call(out, q, layer, batch, params, workers.level);
  states_.resize(static_cast<size_t>(workers.pool.size()));
  make_tiles(call);
  const int64_t n_whole = static_cast<int64_t>(tiles_.size()) * layer.n_kv;
  const int64_t n_split = (tiles_.back().first_unit + tiles_.back().n_groups) * layer.n_kv;
  const int64_t partial_rows = n_split * call.heads_per_kv * tiles_.front().n_tokens;
  const bool split = n_whole < 2 * workers.pool.size() && n_split > n_whole && workers.pool.size() > 1 &&
                     partial_rows * (layer.d_v + 2) <= kMaxPartials;
  const int64_t n_units = split ? n_split : n_whole;
  const int64_t parts = (workers.pool.size() + n_units - 1) / n_units;
  const int head_parts = static_cast<int>(std::min<int64_t>(parts, call.heads_per_kv));
  split ? run_split(call, head_parts, workers) : run_whole(call, head_parts, workers);
}

void Attention::run_whole(const AttendCall& call, int head_parts, Workers& workers) {
  const int head_units = call.layer.n_kv * head_parts;
  const auto n_units = static_cast<int64_t>(tiles_.size()) * head_units;
  workers.pool.parallel_for(n_units, 1, [&](int64_t unit, int64_t, int thread) {
    const Tile& tile = tiles_[static_cast<size_t>(unit / head_units)];
    const QueryRows rows = rows_of(call, tile, static_cast<int>(unit % head_units), head_parts);
    attend_whole(call, tile, rows, workers.kernels, workers.scratch[static_cast<size_t>(thread)], states_of(thread));
  });
}

void Attention::attend_whole(const AttendCall& call, const Tile& tile, const QueryRows& rows, const Kernels& kernels,
                             Scratch& scratch, std::vector<RowState>& states) {
  const int d_v = call.layer.d_v;
  const int n_rows = rows.n_tokens * rows.n_heads;
  // The first group's state is the result's own memory; later groups are joined to it.
  states.resize(static_cast<size_t>(2 * n_rows));
  const std::span<RowState> whole = std::span(states).first(static_cast<size_t>(n_rows));
  const std::span<RowState> later = std::span(states).last(static_cast<size_t>(n_rows));
  float* later_sums = tile.n_groups > 1 ? scratch.state.reserve(static_cast<int64_t>(n_rows) * d_v) : nullptr;
  for (int r = 0; r < n_rows; ++r) {
    whole[r].sums = call.out.head(rows.first_token + r / rows.n_heads, rows.first_head + r % rows.n_heads);
    if (later_sums != nullptr) later[r].sums = later_sums + static_cast<int64_t>(r) * d_v;
  }
  attend_group(call, rows, tile.first_group, whole, kernels, scratch);
  for (int group = 1; group < tile.n_groups; ++group) {
    attend_group(call, rows, tile.first_group + group, later, kernels, scratch);
    for (int r = 0; r < n_rows; ++r) join(whole[r], later[r], d_v, kernels);
  }
  for (int r = 0; r < n_rows; ++r) finish(whole[r], call.sink(rows.first_head + r % rows.n_heads), d_v, kernels);
}

void Attention::run_split(const AttendCall& call, int head_parts, Workers& workers) {
  const int head_units = call.layer.n_kv * head_parts;
  const int d_v = call.layer.d_v;
  const int64_t n_groups = tiles_.back().first_unit + tiles_.back().n_groups;
  partials_.reserve(n_groups * tiles_.front().n_tokens * call.q.n_heads * (d_v + 2));
  workers.pool.parallel_for(n_groups * head_units, 1, [&](int64_t unit, int64_t, int thread) {
    const int64_t group_unit = unit / head_units;
    const auto after = std::upper_bound(tiles_.begin(), tiles_.end(), group_unit,
                                        [](int64_t u, const Tile& t) { return u < t.first_unit; });
    const Tile& tile = *(after - 1);
    const QueryRows rows = rows_of(call, tile, static_cast<int>(unit % head_units), head_parts);
    std::vector<RowState>& states = states_of(thread);
    states.resize(static_cast<size_t>(rows.n_tokens * rows.n_heads));
    for (size_t r = 0; r < states.size(); ++r) {
      const int row = static_cast<int>(r);
      states[r].sums = partial(call, group_unit, row / rows.n_heads, rows.first_head + row % rows.n_heads);
    }
    const int group = tile.first_group + static_cast<int>(group_unit - tile.first_unit);
    attend_group(call, rows, group, states, workers.kernels, workers.scratch[static_cast<size_t>(thread)]);
    for (const RowState& state : states) {
      state.sums[d_v] = state.largest;
      state.sums[d_v + 1] = state.total;
    }
  });
  join_partials(call, workers);
}

void Attention::join_partials(const AttendCall& call, Workers& workers) {
  const int d_v = call.layer.d_v;
  const int n_heads = call.q.n_heads;
  const auto join_row = [&](const Tile& tile, int i, int head) {
    const float* first = partial(call, tile.first_unit, i, head);
    RowState whole{call.out.head(tile.first_token + i, head), first[d_v], first[d_v + 1]};
    std::copy_n(first, d_v, whole.sums);
    for (int group = 1; group < tile.n_groups; ++group) {
      float* next = partial(call, tile.first_unit + group, i, head);
      join(whole, {next, next[d_v], next[d_v + 1]}, d_v, workers.kernels);
    }
    finish(whole, call.sink(head), d_v, workers.kernels);
  };
  const double cost = 0.1 * static_cast<double>(tiles_.front().n_tokens) * tiles_.front().n_groups * d_v;
  workers.share(static_cast<int64_t>(tiles_.size()) * n_heads, cost, [&](int64_t begin, int64_t end, int) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const Tile& tile = tiles_[static_cast<size_t>(unit / n_heads)];
      for (int i = 0; i < tile.n_tokens; ++i) join_row(tile, i, static_cast<int>(unit % n_heads));
    }
  });
}

float* Attention::partial(const AttendCall& call, int64_t group_unit, int token, int head) {
  const int64_t tile_tokens = tiles_.front().n_tokens;  // the most that any tile has
  return partials_.data() + ((group_unit * tile_tokens + token) * call.q.n_heads + head) * (call.layer.d_v + 2);
}

}  // namespace glint::cpu
