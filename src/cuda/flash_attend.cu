// SPDX-License-Identifier: Apache-2.0
#include "cuda/flash_attend.h"

#include <algorithm>
#include <span>
#include <type_traits>

#include "base/check.h"
#include "cuda/device/flash_pages.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

/// Rows whose pages' results the workspace always has room for; a step of no more may be replayed.
constexpr int kFewRows = 8;
/// Rows times key/value heads of a segment from which a prompt's blocks are faster: sharing pages out reads keys and
/// values again for each tile of 16 packed rows. By arithmetic for an H100 and groups of four, at any depth.
constexpr int kPromptHeadRows = 512;
/// Warps of a page each for a multiprocessor: twice what it holds at once, so that those with a page more start first.
constexpr int kWarpsOfMultiprocessor = 12;
/// At least so many share a row's pages, however many rows there are: contexts may differ, and rows go together.
constexpr int kLeastShares = 16;

/// A block goes over the pages of its rows: all of them in order, or, shared, every gridDim.z-th. Grid: (tiles of
/// heads, tiles of rows, longest contexts first), or (tiles of heads, rows, shares).
template <class Shape, class Pages>
__global__ void __launch_bounds__(Shape::kThreads) flash_attend_kernel(FlashArgs args) {
  auto* queries = dynamic_shared<__half>();
  __half* keys = queries + Shape::kRows * Shape::kPitch;
  __half* values = args.shares_tile ? keys : keys + Shape::kTileHalves;
  auto* raw = reinterpret_cast<uint8_t*>(values + Shape::kTileHalves);
  const int window = args.params.window;
  // Positions and page table were there before the kernel before this one, and so were pages without rows of this step.
  const auto head_tile = static_cast<int>(blockIdx.x);
  const RowTile tile = Pages::kShared ? RowTile::of_one_sequence(args, head_tile, static_cast<int>(blockIdx.y))
                                      : RowTile::full(args, head_tile, static_cast<int>(gridDim.y - 1 - blockIdx.y));
  if (tile.n_rows == 0) return;
  const int last_position = args.positions[tile.first_row + tile.n_rows - 1];
  const PageRange range(args.positions[tile.first_row], last_position, window);
  const auto stride = static_cast<int>(gridDim.z);
  int page = range.first + static_cast<int>(blockIdx.z);
  if (page >= range.end) return;
  const int sequence = args.sequences[tile.first_row];
  const KvLayer& layer = args.layer;
  const HeadRows key_rows(layer.k, layer.k_dtype, layer.n_kv, Shape::kWidth, tile.kv);
  const HeadRows value_rows(layer.v, layer.v_dtype, layer.n_kv, Shape::kWidth, tile.kv);
  const auto start = [&](const HeadRows& rows, __half* to, int of_page) {
    const int position = of_page * kPageTokens;
    start_page<Shape>(rows, to, raw, cache_row(args.page_table, args.max_pages, sequence, position),
                      last_position + 1 - position);
  };
  const bool is_old = (page + 1) * kPageTokens <= last_position + 1 - args.n_step;
  if (is_old) start(key_rows, keys, page);
  wait_for_previous_kernel();
  let_next_kernel_start();
  if (!is_old) start(key_rows, keys, page);
  load_queries<Shape>(queries, args, tile);
  const WarpRows<Shape> rows(args, tile);
  const ScoreScale scale(args.params);
  Pages pages(args, tile, rows);
  while (page < range.end) {
    PageProbabilities<Shape> p;
    FoldState states[WarpRows<Shape>::kLaneRows];
    const bool sees = rows.sees(page, window);
    finish_page<Shape>(key_rows, keys, raw);
    start(value_rows, values, page);
    if (sees) {
      PageScores<Shape> scores;
      multiply_keys<Shape>(scores, queries, keys, rows.first);
      if (scale.softcap > 0) cap_scores<Shape>(scores, scale);
      if (rows.sees_all(page, window)) {
        rows.template soften<false>(p, scores, states, scale, page, window);
      } else {
        rows.template soften<true>(p, scores, states, scale, page, window);
      }
    }
    finish_page<Shape>(value_rows, values, raw);
    if (page + stride < range.end) start(key_rows, keys, page + stride);
    if (sees) pages.add(page, p, states, values);
    page += stride;
  }
  pages.finish(args, tile, rows);
}

constexpr int kFoldThreads = 128;
constexpr int kFoldPages = kFoldThreads;  // at a time
constexpr int kFoldValues = 32;           // of a block

struct FoldArgs {
  Tensor out;
  AttendParams params;
  const int32_t* positions;
  PageResults results;
};

/// What the threads of a block know of a batch of pages.
struct FoldMemory {
  float4 values[2][kFoldPages][kFoldValues / 4];
  FoldFactors factors[kFoldPages];
  float sums[kFoldPages];
  float largest[kFoldThreads / 32];
};

/// Makes a batch's factors: a thread knows its page's state. Returns the largest score with this batch's.
__device__ __forceinline__ float make_factors(FoldMemory& memory, float largest_before, FoldState mine) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  float upto = mine.largest;
#pragma unroll
  for (int by = 1; by < 32; by *= 2) {
    const float other = __shfl_up_sync(kAllLanes, upto, by);
    if (lane >= by) upto = fmaxf(upto, other);
  }
  if (lane == 31) memory.largest[warp] = upto;
  const float before_lane = __shfl_up_sync(kAllLanes, upto, 1);
  __syncthreads();
  float before = largest_before;
  float all = largest_before;
#pragma unroll
  for (int w = 0; w < kFoldThreads / 32; ++w) {
    if (w < warp) before = fmaxf(before, memory.largest[w]);
    all = fmaxf(all, memory.largest[w]);
  }
  if (lane > 0) before = fmaxf(before, before_lane);
  memory.factors[threadIdx.x] = fold_factors(before, mine.largest);
  memory.sums[threadIdx.x] = mine.sum;
  return all;
}

/// Folds what StoredPages left. Grid: (parts of kFoldValues of a head, heads, rows).
__global__ void __launch_bounds__(kFoldThreads) flash_fold_kernel(FoldArgs args) {
  __shared__ FoldMemory memory;
  const PageResults& results = args.results;
  const int head = static_cast<int>(blockIdx.y);
  const int row = static_cast<int>(blockIdx.z);
  const int first_value = static_cast<int>(blockIdx.x) * kFoldValues;
  const int thread = static_cast<int>(threadIdx.x);
  const int position = args.positions[row];
  const PageRange range(position, position, args.params.window);
  const auto start = [&](int slot, int first) {
#pragma unroll
    for (int i = thread; i < kFoldPages * (kFoldValues / 4); i += kFoldThreads) {
      const int page = first + i / (kFoldValues / 4);
      const int at = i % (kFoldValues / 4);
      const bool valid = page < range.end;
      cp_async_16(
          &memory.values[slot][i / (kFoldValues / 4)][at],
          results.values + results.at(row, valid ? page : range.first, head) * args.out.width + first_value + 4 * at,
          valid);
    }
    cp_async_commit();
  };
  wait_for_previous_kernel();
  let_next_kernel_start();
  start(0, range.first);
  FoldState state = first_state(args.params, head);
  float value = 0;
  for (int first = range.first, slot = 0; first < range.end; first += kFoldPages, slot ^= 1) {
    start(slot ^ 1, first + kFoldPages);
    const int mine = first + thread;
    state.largest = make_factors(memory, state.largest,
                                 mine < range.end ? results.states[results.at(row, mine, head)] : FoldState{});
    cp_async_wait<1>();
    __syncthreads();
    if (thread < kFoldValues) {
      const int n = min(kFoldPages, range.end - first);
#pragma unroll 8
      for (int p = 0; p < n; ++p) {
        const FoldFactors factors = memory.factors[p];
        value = fold_value(value, reinterpret_cast<const float*>(memory.values[slot][p])[thread], factors);
        state.sum = fold_value(state.sum, memory.sums[p], factors);
      }
    }
    __syncthreads();
  }
  cp_async_wait<0>();
  if (thread < kFoldValues)
    args.out.data[row * args.out.row_stride + head * args.out.head_stride + first_value + thread] =
        value * (1.0f / state.sum);
}

bool is_flash_dtype(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kQ8_0;
}

/// Blocks of heads of kWidth: a prompt's, and those of few rows.
template <int kWidth>
using PromptShape = PageShape<kWidth, 4, kWidth <= 128 ? 2 : 1>;
template <int kWidth>
using FewShape = PageShape<kWidth, 1, 1>;

bool shares_tile(const KvLayer& layer) {
  return layer.k_dtype == DType::kQ8_0 && layer.v_dtype == DType::kQ8_0;
}

template <class Shape>
size_t shared_bytes(const KvLayer& layer) {
  const bool has_raw = layer.k_dtype == DType::kQ8_0 || layer.v_dtype == DType::kQ8_0;
  const int halves = Shape::kRows * Shape::kPitch + (shares_tile(layer) ? 1 : 2) * Shape::kTileHalves;
  return static_cast<size_t>(halves) * sizeof(__half) + (has_raw ? kPageTokens * Shape::kRawChunks * 16 : 0);
}

/// fn(heads' width as a constant); false where there is no kernel for it.
template <class Fn>
bool with_width(int width, Fn fn) {
  switch (width) {
    case 64:
      return fn(std::integral_constant<int, 64>());
    case 96:
      return fn(std::integral_constant<int, 96>());
    case 128:
      return fn(std::integral_constant<int, 128>());
    case 256:
      return fn(std::integral_constant<int, 256>());
    default:
      return false;
  }
}

/// One call: its operands and ways.
class FlashStep {
 public:
  FlashStep(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer, const Batch& batch,
            const AttendParams& params)
      : stream_(stream), workspace_(workspace), out_(out), q_(q), layer_(layer), batch_(batch), params_(params) {}

  void run() {
    // A recorded step is replayed with other sequences than it was recorded with.
    const auto segments = q_.n_rows <= kFewRows ? std::span<const Segment>() : batch_.host_segments;
    if (segments.empty()) return few_rows(0, q_.n_rows, batch_.max_pages);
    for (size_t at = 0; at < segments.size();) {
      const Segment& segment = segments[at++];
      if (is_prompt(segment)) {
        prompt(segment.first_row, segment.n_rows);
        continue;
      }
      int n_rows = segment.n_rows;
      int n_pages = pages_of(segment);
      for (; at < segments.size() && !is_prompt(segments[at]); ++at) {
        n_rows += segments[at].n_rows;
        n_pages = std::max(n_pages, pages_of(segments[at]));
      }
      few_rows(segment.first_row, n_rows, n_pages);
    }
  }

 private:
  bool is_prompt(const Segment& segment) const { return segment.n_rows * layer_.n_kv >= kPromptHeadRows; }
  static int pages_of(const Segment& segment) {
    return blocks_for(segment.first_position + segment.n_rows, kPageTokens);
  }

  /// Of rows [first, first + n_rows), in tiles of up to `tile_rows` packed rows.
  FlashArgs args_of(int first, int n_rows, int tile_rows) const {
    const int n_group = q_.n_heads / layer_.n_kv;
    const int n_tile_heads = std::min(n_group, tile_rows);
    return {.out = out_.rows(first, n_rows),
            .q = q_.rows(first, n_rows),
            .layer = layer_,
            .params = params_,
            .positions = batch_.positions + first,
            .sequences = batch_.sequences + first,
            .page_table = batch_.page_table,
            .max_pages = batch_.max_pages,
            .n_step = batch_.n_tokens,
            .n_group = n_group,
            .n_tile_heads = n_tile_heads,
            .n_tile_rows = tile_rows / n_tile_heads,
            .shares_tile = shares_tile(layer_),
            .results = {}};
  }
  unsigned head_tiles(const FlashArgs& args) const {
    return static_cast<unsigned>(layer_.n_kv * blocks_for(args.n_group, args.n_tile_heads));
  }

  /// Rows of one sequence.
  void prompt(int first, int n_rows) const {
    with_width(q_.width, [&](auto width) {
      using Shape = PromptShape<width>;
      const FlashArgs args = args_of(first, n_rows, Shape::kRows);
      const dim3 grid(head_tiles(args), static_cast<unsigned>(blocks_for(n_rows, args.n_tile_rows)));
      launch(stream_, {grid, dim3(Shape::kThreads), shared_bytes<Shape>(layer_)},
             flash_attend_kernel<Shape, FoldedPages<Shape>>, args);
      return true;
    });
  }

  /// Rows of any sequences, of up to `n_pages` pages; as many at once as there is room for results.
  void few_rows(int first, int n_rows, int n_pages) {
    const int64_t most = std::max<int64_t>(1, static_cast<int64_t>(kFewRows) * batch_.max_pages / n_pages);
    for (int done = 0; done < n_rows;) {
      const int n = static_cast<int>(std::min<int64_t>(most, n_rows - done));
      shared_pages(first + done, n, n_pages);
      done += n;
    }
  }
  void shared_pages(int first, int n_rows, int n_pages) {
    float* memory = workspace_.floats(stream_, flash_attend_floats(batch_.max_pages, q_.n_heads, q_.width));
    const int64_t n_results = static_cast<int64_t>(n_rows) * n_pages * q_.n_heads;
    const PageResults results{.values = memory,
                              .states = reinterpret_cast<FoldState*>(memory + n_results * q_.width),
                              .n_pages = n_pages,
                              .n_heads = q_.n_heads};
    with_width(q_.width, [&](auto width) {
      using Shape = FewShape<width>;
      FlashArgs args = args_of(first, n_rows, Shape::kRows);
      args.results = results;
      const int tiles = static_cast<int>(head_tiles(args)) * n_rows;
      const int shares = std::max(kLeastShares, blocks_for(stream_.n_multiprocessors * kWarpsOfMultiprocessor, tiles));
      // Rows beside each other: those of one sequence find its pages in L2.
      const dim3 grid(head_tiles(args), static_cast<unsigned>(n_rows),
                      static_cast<unsigned>(std::min(shares, n_pages)));
      launch(stream_, {grid, dim3(Shape::kThreads), shared_bytes<Shape>(layer_)},
             flash_attend_kernel<Shape, StoredPages<Shape>>, args);
      return true;
    });
    const dim3 grid(static_cast<unsigned>(q_.width / kFoldValues), static_cast<unsigned>(q_.n_heads),
                    static_cast<unsigned>(n_rows));
    launch(stream_, {grid, dim3(kFoldThreads)}, flash_fold_kernel,
           {out_.rows(first, n_rows), params_, batch_.positions + first, results});
  }

  const Stream& stream_;
  Workspace& workspace_;
  Tensor out_, q_;
  const KvLayer& layer_;
  const Batch& batch_;
  const AttendParams& params_;
};

}  // namespace

bool flash_attend_supports(const Stream& stream, Tensor q, const KvLayer& layer, const AttendParams& params) {
  const auto is_aligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
  if (layer.v == nullptr || layer.d_k != layer.d_v || !is_flash_dtype(layer.k_dtype) || !is_flash_dtype(layer.v_dtype))
    return false;
  if (!is_aligned(layer.k) || !is_aligned(layer.v) || !(params.scale > 0) || q.n_heads % layer.n_kv != 0) return false;
  return with_width(layer.d_k, [&](auto width) {
    return shared_bytes<PromptShape<width>>(layer) <= stream.shared_bytes &&
           shared_bytes<FewShape<width>>(layer) <= stream.shared_bytes;
  });
}

void flash_attend(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer,
                  const Batch& batch, const AttendParams& params) {
  GLINT_CHECK(flash_attend_supports(stream, q, layer, params));
  FlashStep(stream, workspace, out, q, layer, batch, params).run();
}

int64_t flash_attend_floats(int n_pages, int n_heads, int d_head) {
  return static_cast<int64_t>(kFewRows) * n_pages * n_heads * (d_head + 2);
}

}  // namespace glint::cuda
