// SPDX-License-Identifier: Apache-2.0
#include "cuda/matvec.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "cuda/device/mla_rows.cuh"
#include "cuda/device/mla_splits.cuh"
#include "cuda/device/rows_input.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kMostWarps = 24;  // more would leave too few registers

struct MatvecArgs {
  PackedMatrix matrix[kMostMatrices];
  MatvecOutput out[kMostMatrices];
  int first_block[kMostMatrices] = {};  // of each matrix
  int n_blocks = 0;                     // of all
  int log_tiles = 0;                    // rows of tiles of a block: 2 to this
};

/// Work that needs the same inputs as a product and goes in the same launch: blocks behind the product's, along x.
struct NoWork {
  __device__ __forceinline__ void run(int, int) const {}
};
/// MLA's rows: for each head (y) a block for each token's query, and, for head 0, one for its latent row.
struct MlaRowWork {
  MlaRowArgs args;
  __device__ __forceinline__ void run(int index, int head) const {
    wait_for_previous_kernel();
    const int n_tokens = args.rows.latent.n_rows;
    if (index < n_tokens) return finish_mla_row(args, index, head);
    if (head == 0) finish_mla_row(args, index - n_tokens, args.shape.n_heads);
  }
};

/// Inputs that attention left in parts: one head's values, folded by each block that takes them.
struct SplitsInput {
  MlaSplits splits;
  int n_tokens;
  int n_first = 0;  // splits of the first token
  __device__ __forceinline__ SplitsInput prepared(int) const { return {splits, n_tokens, count_splits(splits, 0)}; }
  __device__ __forceinline__ void store(__half* columns, int head, int, int n_padded, float*) const {
    __shared__ FoldMemory memory;
#pragma unroll 1
    for (int t = 0; t < n_tokens; ++t) {
      fold_splits(memory, splits, t, t == 0 ? n_first : count_splits(splits, t), head,
                  [&](int at, float4 v) { store_columns(columns + t * (n_padded + kColumnPad), at, to_halves(v)); });
    }
  }
};
template <bool kAligned, bool kMany>
struct PlainInput : MatvecInput {
  __device__ __forceinline__ RowsInput<kAligned, kMany> prepared(int n_in) const { return {*this, n_in}; }
};

/// Grid: (rows of tiles / 2^log_tiles of all matrices, then other work; stacked matrices).
template <PackedFormat kFormat, class Input, class Work>
__global__ void __launch_bounds__(kMostWarps * 32) matvec_kernel(MatvecArgs args, Input in, Work work) {
  if (static_cast<int>(blockIdx.x) >= args.n_blocks)
    return work.run(static_cast<int>(blockIdx.x) - args.n_blocks, static_cast<int>(blockIdx.y));
  __shared__ float scratch[kLeastWarps];
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  const int warp = warp_id();
  int which = 0;
#pragma unroll
  for (int i = 1; i < kMostMatrices; ++i) which += static_cast<int>(blockIdx.x) >= args.first_block[i] ? 1 : 0;
  const PackedMatrix& matrix = args.matrix[which];
  const MatvecOutput& out = args.out[which];
  const int head = static_cast<int>(blockIdx.y);
  const int first_tile = (static_cast<int>(blockIdx.x) - args.first_block[which]) << args.log_tiles;
  const int n_blocks = matrix.n_blocks;
  const int n_tiles = min(1 << args.log_tiles, matrix.n_row_tiles - first_tile);
  const int n_units = n_tiles * n_blocks;
  const int n_padded = n_blocks * kTileColumns;
  auto* ring = dynamic_shared<uint8_t>();
  auto* columns = reinterpret_cast<__half*>(ring + n_warps() * kTileBytes);
  auto* partial = reinterpret_cast<float*>(columns + in.n_tokens * (n_padded + kColumnPad));

  uint8_t* place = ring + warp * kTileBytes;
  const uint8_t* tiles =
      matrix.tiles + (static_cast<int64_t>(head) * matrix.n_row_tiles + first_tile) * n_blocks * kTileBytes;
  const auto tile_of = [&](int unit) { return tiles + unit * kTileBytes; };
  WarpTiles<kFormat>::start(place, warp, n_warps(), n_units, tile_of);
  const auto input = in.prepared(matrix.n_in);
  wait_for_previous_kernel();
  input.store(columns, head, matrix.n_in, n_padded, scratch);
  // The thread's first output; what it adds to is fetched now.
  const auto output_at = [&](int i) -> float* {
    const int tile = i / kTileRows & ((1 << args.log_tiles) - 1);
    const int token = i / kTileRows >> args.log_tiles;
    const int out_row = (first_tile + tile) * kTileRows + i % kTileRows;
    if (token >= in.n_tokens || tile >= n_tiles || out_row >= matrix.n_out) return nullptr;
    return out.out + token * out.row_stride + head * out.head_stride + out_row;
  };
  const int first = static_cast<int>(threadIdx.x);
  const float* first_at = output_at(first);
  const float before = out.add && first_at != nullptr ? *first_at : 0.0f;
  __syncthreads();
  let_next_kernel_start();
  const __half* column = columns + lane_token(in.n_tokens) * (n_padded + kColumnPad);
  WarpTiles<kFormat>::multiply(place, warp, n_warps(), n_units, in.n_tokens, partial, tile_of,
                               [&](int unit) { return column + unit % n_blocks * kTileColumns; });
  __syncthreads();
#pragma unroll 1
  for (int i = first; i < in.n_tokens * kTileRows << args.log_tiles; i += n_threads()) {
    float* to = output_at(i);
    if (to == nullptr) continue;
    const int tile = i / kTileRows & ((1 << args.log_tiles) - 1);
    float sum =
        sum_blocks(partial, tile * n_blocks, n_blocks, in.n_tokens, i / kTileRows >> args.log_tiles, i % kTileRows);
    sum *= out.scale;
    if (out.bias != nullptr) sum += out.bias[head * matrix.n_out + (first_tile + tile) * kTileRows + i % kTileRows];
    if (out.add) sum += i == first ? before : *to;
    *to = sum;
  }
}

/// Sets how a block shares the rows of tiles; the number of tiles of a block.
int share_tiles(MatvecArgs& args) {
  const PackedMatrix& matrix = args.matrix[0];
  args.log_tiles = std::bit_width(static_cast<unsigned>(std::max(1, kLeastWarps / matrix.n_blocks))) - 1;
  const int tiles_per_block = 1 << args.log_tiles;
  args.n_blocks = 0;
  for (int i = 0; i < kMostMatrices; ++i) {
    args.first_block[i] = args.n_blocks;
    args.n_blocks += blocks_for(args.matrix[i].n_row_tiles, tiles_per_block);
  }
  // A matrix that is not there has no blocks, nor may it be taken for the last that is.
  for (int i = 1; i < kMostMatrices; ++i) {
    if (args.matrix[i].n_row_tiles == 0) args.first_block[i] = args.n_blocks;
  }
  return tiles_per_block * matrix.n_blocks;
}

/// Tokens [first, first + n_tokens) of all heads, with other work in blocks behind.
template <PackedFormat kFormat, class Input, class Work>
void launch_part(const Stream& stream, const MatvecArgs& args, const Input& in, int count, int n_units,
                 const Work& work, int n_work_blocks) {
  const dim3 grid(static_cast<unsigned>(args.n_blocks + n_work_blocks), static_cast<unsigned>(count));
  const LaunchShape shape =
      block_for(stream, grid, n_units, kMostWarps, tile_layout(kFormat).bytes(),
                columns_bytes(in.n_tokens, args.matrix[0].n_blocks) + partial_bytes(n_units, in.n_tokens));
  launch(stream, shape, matvec_kernel<kFormat, Input, Work>, args, in, work);
}

template <class Work>
void launch_matvec(const Stream& stream, MatvecArgs args, const MatvecInput& in, int count, const Work& work,
                   int n_work_blocks) {
  const PackedMatrix& matrix = args.matrix[0];
  GLINT_CHECK(in.n_tokens >= 1 && in.n_tokens <= kMatvecTokens);
  const int n_units = share_tiles(args);
  const int most = fitting_tokens(stream, in.n_tokens, matrix.n_blocks, n_units, tile_layout(matrix.format).bytes());
  for (int first = 0; first < in.n_tokens; first += most) {
    const MatvecInput part = in.tokens(first, std::min(most, in.n_tokens - first));
    with_format(matrix.format, [&]<PackedFormat kFormat>() {
      constexpr bool kAligned = kFormat != PackedFormat::kHalf;
      const int n_with_it = first == 0 ? n_work_blocks : 0;  // other work goes with the first launch
      if (part.n_tokens > kMostInTurn) {
        launch_part<kFormat>(stream, args, PlainInput<kAligned, true>{part}, count, n_units, work, n_with_it);
      } else {
        launch_part<kFormat>(stream, args, PlainInput<kAligned, false>{part}, count, n_units, work, n_with_it);
      }
    });
    for (MatvecOutput& out : args.out) {
      if (out.out != nullptr) out.out += most * out.row_stride;
    }
  }
}

}  // namespace

void matvec(const Stream& stream, const MatvecOutput& out, const MatvecInput& in, const PackedMatrix& matrix,
            int count) {
  launch_matvec(stream, {.matrix = {matrix}, .out = {out}}, in, count, NoWork{}, 0);
}

void matvec_and_mla_rows(const Stream& stream, const MatvecOutput& out, const MatvecInput& in,
                         const PackedMatrix& matrix, int count, const MlaRowArgs& rows) {
  GLINT_CHECK(count == rows.shape.n_heads && rows.cache.k != nullptr);
  launch_matvec(stream, {.matrix = {matrix}, .out = {out}}, in, count, MlaRowWork{rows}, 2 * in.n_tokens);
}

void matvec_of_splits(const Stream& stream, const MatvecOutput& out, const MlaSplits& splits,
                      const PackedMatrix& matrix) {
  GLINT_CHECK(matrix.n_in == kSplitValues && splits.n_rows <= kMatvecTokens);
  MatvecArgs args{.matrix = {matrix}, .out = {out}};
  const int n_units = share_tiles(args);
  with_format(matrix.format, [&]<PackedFormat kFormat>() {
    launch_part<kFormat>(stream, args, SplitsInput{splits, splits.n_rows}, splits.n_heads, n_units, NoWork{}, 0);
  });
}

void matvec_several(const Stream& stream, const MatvecInput& in, std::initializer_list<MatvecProduct> products) {
  GLINT_CHECK(products.size() <= static_cast<size_t>(kMostMatrices));
  for (auto first = products.begin(); first != products.end();) {
    MatvecArgs args;
    auto end = first;
    for (; end != products.end() && end->matrix.format == first->matrix.format; ++end) {
      GLINT_CHECK(end->matrix.n_in == first->matrix.n_in);
      args.matrix[end - first] = end->matrix;
      args.out[end - first] = end->out;
    }
    launch_matvec(stream, args, in, 1, NoWork{}, 0);
    first = end;
  }
}

}  // namespace glint::cuda
