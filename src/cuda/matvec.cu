// SPDX-License-Identifier: Apache-2.0
#include "cuda/matvec.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/activation.cuh"
#include "cuda/device/mla_rows.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/route.cuh"
#include "cuda/device/tile_product.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kLeastWarps = kNormThreads / 32;
constexpr int kMostWarps = 24;  // of products whose input is normed: more would leave too few registers
constexpr int kMostDownWarps = 32;
constexpr int kRoutedTiles = 3;  // rows of tiles of a block there: GLM-4.7-Flash's 384 make one block a multiprocessor
constexpr int kColumnPad = 8;    // halves after each token in shared memory: tokens' words then lie in different banks

/// Tiles of a warp under way in a gated pair; tiles of halves are large.
constexpr int glu_places(PackedFormat format) {
  return format == PackedFormat::kHalf ? 1 : 2;
}

__device__ __forceinline__ int lane_id() {
  return static_cast<int>(threadIdx.x) % 32;
}
__device__ __forceinline__ int warp_id() {
  return static_cast<int>(threadIdx.x) / 32;
}

__device__ __forceinline__ int n_threads() {
  return static_cast<int>(blockDim.x);
}
__device__ __forceinline__ int n_warps() {
  return n_threads() / 32;
}

__device__ __forceinline__ void load_tokens(__half* columns, const MatvecInput& in, const InputNorm& norm, int head,
                                            int n_in, int n_padded, float* scratch) {
  for (int t = 0; t < in.n_tokens; ++t) {
    store_input(columns + t * (n_padded + kColumnPad), in.x + t * in.row_stride + head * in.head_stride, n_in, n_padded,
                in.scale, norm, scratch);
    if (norm.present && t + 1 < in.n_tokens) __syncthreads();  // scratch is used again
  }
}

/// This lane's token in shared memory, or null.
__device__ __forceinline__ const __half* lane_column(const __half* columns, int n_tokens, int n_padded) {
  const int token = lane_id() / 4;
  return token < n_tokens ? columns + token * (n_padded + kColumnPad) : nullptr;
}

/// Leaves a tile's sums for the block: partial [unit][token][row].
__device__ __forceinline__ void store_partial(float* partial, int unit, int n_tokens, const float (&sum)[4]) {
  const int lane = lane_id();
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2);
    const int token = lane % 4 * 2 + i % 2;
    if (token < n_tokens) partial[(unit * n_tokens + token) * kTileRows + row] = sum[i];
  }
}

/// Sum of the tiles of one row of tiles, in ascending order.
__device__ __forceinline__ float sum_blocks(const float* partial, int first_unit, int n_blocks, int n_tokens, int token,
                                            int row) {
  float sum = 0;
#pragma unroll 8
  for (int b = 0; b < n_blocks; ++b) sum += partial[((first_unit + b) * n_tokens + token) * kTileRows + row];
  return sum;
}

/// A warp's places for tiles in shared memory. A block has a warp for each tile, or for each kPlaces of them, where it
/// can, so that all copies are under way at once; a warp with more takes them as places become free.
template <PackedFormat kFormat, int kPlaces = 1>
struct WarpTile {
  static constexpr int kBytes = tile_layout(kFormat).bytes();

  /// Starts the copies of the warp's first units: first (the warp's own number among n_takers that take units), first +
  /// n_takers, ....
  template <class TileOf>
  __device__ __forceinline__ static void start(uint8_t* places, int first, int n_takers, int n_units, TileOf tile_of) {
#pragma unroll
    for (int p = 0; p < kPlaces; ++p) {
      const int unit = first + p * n_takers;
      if (unit < n_units) copy_tile<kFormat>(places + p * kBytes, tile_of(unit), lane_id());
      cp_async_commit();
    }
  }
  /// Multiplies all of the warp's units; tile_of(unit) is where a unit's tile lies, column_of(unit) this lane's token
  /// at the tile's first column (or null). PRECOND: start() with the same units.
  template <class TileOf, class ColumnOf>
  __device__ __forceinline__ static void multiply(uint8_t* places, int first, int n_takers, int n_units, int n_tokens,
                                                  float* partial, TileOf tile_of, ColumnOf column_of) {
    uint8_t* place = places;
#pragma unroll 1
    for (int unit = first; unit < n_units; unit += n_takers) {
      const __half* column = column_of(unit);
      cp_async_wait<kPlaces - 1>();
      __syncwarp();
      float sum[4];
      tile_product<kFormat>(sum, place, column, lane_id());
      store_partial(partial, unit, n_tokens, sum);
      __syncwarp();
      const int ahead = unit + kPlaces * n_takers;
      if (ahead < n_units) copy_tile<kFormat>(place, tile_of(ahead), lane_id());
      cp_async_commit();
      place = place == places + (kPlaces - 1) * kBytes ? places : place + kBytes;
    }
  }
};

struct MatvecArgs {
  PackedMatrix matrix[2];
  MatvecOutput out[2];
  int n_first_blocks = 0;  // blocks of the first matrix; the rest take the second
  int n_blocks = 0;        // of both
  int tiles_per_block = 1;
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
/// The router: n_parts blocks for each token.
struct RouterWork {
  RouteWork route;
  int n_parts = 0;
  __device__ __forceinline__ void run(int index, int) const {
    route_part<1>(route.out, route.logits, route.in, route.params, route.arrived, dynamic_shared<float>(),
                  index % n_parts, n_parts, index / n_parts);
  }
};

/// Grid: (rows of tiles / tiles_per_block of all matrices, then other work; stacked matrices).
template <PackedFormat kFormat, class Work>
__global__ void __launch_bounds__(kMostWarps * 32) matvec_kernel(MatvecArgs args, MatvecInput in, Work work) {
  if (static_cast<int>(blockIdx.x) >= args.n_blocks)
    return work.run(static_cast<int>(blockIdx.x) - args.n_blocks, static_cast<int>(blockIdx.y));
  __shared__ float scratch[kLeastWarps];
  const bool second = static_cast<int>(blockIdx.x) >= args.n_first_blocks;
  const PackedMatrix& matrix = args.matrix[second ? 1 : 0];
  const MatvecOutput& out = args.out[second ? 1 : 0];
  const int head = static_cast<int>(blockIdx.y);
  const int first_tile = (static_cast<int>(blockIdx.x) - (second ? args.n_first_blocks : 0)) * args.tiles_per_block;
  const int n_blocks = matrix.n_blocks;
  const int n_tiles = min(args.tiles_per_block, matrix.n_row_tiles - first_tile);
  const int n_units = n_tiles * n_blocks;
  const int n_padded = n_blocks * kTileColumns;
  auto* ring = dynamic_shared<uint8_t>();
  auto* columns = reinterpret_cast<__half*>(ring + n_warps() * WarpTile<kFormat>::kBytes);
  auto* partial = reinterpret_cast<float*>(columns + in.n_tokens * (n_padded + kColumnPad));

  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  uint8_t* place = ring + warp_id() * kTileBytes;
  const uint8_t* tiles =
      matrix.tiles + (static_cast<int64_t>(head) * matrix.n_row_tiles + first_tile) * n_blocks * kTileBytes;
  const auto tile_of = [&](int unit) { return tiles + static_cast<int64_t>(unit) * kTileBytes; };
  WarpTile<kFormat>::start(place, warp_id(), n_warps(), n_units, tile_of);
  const InputNorm norm(in.norm, matrix.n_in, in.eps);
  wait_for_previous_kernel();
  load_tokens(columns, in, norm, head, matrix.n_in, n_padded, scratch);
  __syncthreads();
  const __half* column = lane_column(columns, in.n_tokens, n_padded);
  WarpTile<kFormat>::multiply(place, warp_id(), n_warps(), n_units, in.n_tokens, partial, tile_of, [&](int unit) {
    return column == nullptr ? nullptr : column + unit % n_blocks * kTileColumns;
  });
  let_next_kernel_start();
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < n_tiles * kTileRows * in.n_tokens; i += n_threads()) {
    const int row = i % kTileRows;
    const int tile = i / kTileRows % n_tiles;
    const int token = i / kTileRows / n_tiles;
    const int out_row = (first_tile + tile) * kTileRows + row;
    if (out_row >= matrix.n_out) continue;
    float sum = sum_blocks(partial, tile * n_blocks, n_blocks, in.n_tokens, token, row);
    sum *= out.scale;
    if (out.bias != nullptr) sum += out.bias[head * matrix.n_out + out_row];
    float& to = out.out[token * out.row_stride + head * out.head_stride + out_row];
    to = out.add ? to + sum : sum;
  }
}

/// Grid: (rows of tiles, then other work; slots or 1). Units: for each row of tiles the gate's, then the up
/// projection's.
template <PackedFormat kFormat, class Work>
__global__ void __launch_bounds__(kMostWarps * 32)
    matvec_glu_kernel(GluOutput out, MatvecInput in, PackedMatrix gate, PackedMatrix up, Routing routing,
                      int tiles_per_block, Work work) {
  const int n_tile_blocks = (gate.n_row_tiles + tiles_per_block - 1) / tiles_per_block;
  if (static_cast<int>(blockIdx.x) >= n_tile_blocks)
    return work.run(static_cast<int>(blockIdx.x) - n_tile_blocks, static_cast<int>(blockIdx.y));
  __shared__ float scratch[kLeastWarps];
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  constexpr int kPlaces = glu_places(kFormat);
  const bool routed = routing.expert != nullptr;
  const int n_blocks = gate.n_blocks;
  const int n_padded = n_blocks * kTileColumns;
  const int first_tile = static_cast<int>(blockIdx.x) * tiles_per_block;
  const int n_tiles = min(tiles_per_block, gate.n_row_tiles - first_tile);
  const int n_units = 2 * n_blocks * n_tiles;
  const int slot = static_cast<int>(blockIdx.y);
  auto* ring = dynamic_shared<uint8_t>();
  uint8_t* place = ring + warp_id() * kPlaces * kTileBytes;
  auto* columns = reinterpret_cast<__half*>(ring + n_warps() * kPlaces * kTileBytes);
  const int n_tokens = routed ? 1 : in.n_tokens;
  auto* partial = reinterpret_cast<float*>(columns + n_tokens * (n_padded + kColumnPad));

  int expert = 0;
  const auto tile_of = [&](int unit) {
    const uint8_t* tiles = unit / n_blocks % 2 == 0 ? gate.tiles : up.tiles;
    const int row_tile = first_tile + unit / n_blocks / 2;
    const int64_t tile = (static_cast<int64_t>(expert) * gate.n_row_tiles + row_tile) * n_blocks + unit % n_blocks;
    return tiles + tile * kTileBytes;
  };
  if (!routed) WarpTile<kFormat, kPlaces>::start(place, warp_id(), n_warps(), n_units, tile_of);
  const InputNorm norm(in.norm, gate.n_in, in.eps);
  wait_for_previous_kernel();
  if (routed) {
    expert = routing.expert[slot];
    WarpTile<kFormat, kPlaces>::start(place, warp_id(), n_warps(), n_units, tile_of);
    store_input(columns, in.x + slot / routing.top_k * in.row_stride, gate.n_in, n_padded, in.scale, norm, scratch);
  } else {
    load_tokens(columns, in, norm, 0, gate.n_in, n_padded, scratch);
  }
  __syncthreads();
  const __half* column = lane_column(columns, n_tokens, n_padded);
  WarpTile<kFormat, kPlaces>::multiply(place, warp_id(), n_warps(), n_units, n_tokens, partial, tile_of, [&](int unit) {
    return column == nullptr ? nullptr : column + unit % n_blocks * kTileColumns;
  });
  let_next_kernel_start();
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < n_tiles * kTileRows * n_tokens; i += n_threads()) {
    const int row = i % kTileRows;
    const int tile = i / kTileRows % n_tiles;
    const int token = i / kTileRows / n_tiles;
    const int out_row = (first_tile + tile) * kTileRows + row;
    if (out_row >= gate.n_out) continue;
    float g = sum_blocks(partial, 2 * tile * n_blocks, n_blocks, n_tokens, token, row);
    float u = sum_blocks(partial, (2 * tile + 1) * n_blocks, n_blocks, n_tokens, token, row);
    if (out.gate_bias != nullptr) g += out.gate_bias[expert * gate.n_out + out_row];
    if (out.up_bias != nullptr) u += out.up_bias[expert * gate.n_out + out_row];
    out.out[(routed ? slot : token) * out.row_stride + out_row] = activate(g, u, out.activation) * kInnerScale;
  }
}

/// Grid: (rows of tiles, tokens). Units: the shared expert's tiles first, then those of each slot's expert.
template <PackedFormat kFormat, PackedFormat kSharedFormat>
__global__ void __launch_bounds__(kMostDownWarps * 32)
    matvec_down_kernel(Tensor x, DownInput in, PackedMatrix down, const float* bias, PackedMatrix down_shared,
                       Routing routing) {
  const int row_tile = static_cast<int>(blockIdx.x);
  const int token = static_cast<int>(blockIdx.y);
  const int lane = lane_id();
  const int n_shared = in.shared != nullptr ? down_shared.n_blocks : 0;
  const int n_routed = routing.top_k * down.n_blocks;
  // The first warps take the shared expert's tiles, the others the routed ones'.
  const int n_shared_warps = min(n_shared, n_warps() / 4);
  const bool takes_shared = warp_id() < n_shared_warps;
  const int routed_warp = warp_id() - n_shared_warps;
  auto* shared_ring = dynamic_shared<uint8_t>();
  auto* ring = shared_ring + n_shared_warps * WarpTile<kSharedFormat>::kBytes;
  uint8_t* place = takes_shared ? shared_ring + warp_id() * WarpTile<kSharedFormat>::kBytes
                                : ring + routed_warp * WarpTile<kFormat>::kBytes;
  auto* columns = reinterpret_cast<__half*>(ring + (n_warps() - n_shared_warps) * WarpTile<kFormat>::kBytes);
  auto* partial = reinterpret_cast<float*>(columns + (n_shared + n_routed) * kTileColumns + kColumnPad);

  // The shared expert's tiles are known before the routing is: their copies start first.
  const auto shared_tile = [&](int unit) {
    return down_shared.tiles +
           (static_cast<int64_t>(row_tile) * down_shared.n_blocks + unit) * tile_layout(kSharedFormat).bytes();
  };
  if (takes_shared) WarpTile<kSharedFormat>::start(place, warp_id(), n_shared_warps, n_shared, shared_tile);
  wait_for_previous_kernel();
  const int32_t* experts = routing.expert + token * routing.top_k;
  const auto routed_tile = [&](int unit) {
    const int64_t tile =
        (static_cast<int64_t>(experts[unit / down.n_blocks]) * down.n_row_tiles + row_tile) * down.n_blocks +
        unit % down.n_blocks;
    return down.tiles + tile * tile_layout(kFormat).bytes();
  };
  if (!takes_shared) WarpTile<kFormat>::start(place, routed_warp, n_warps() - n_shared_warps, n_routed, routed_tile);
  if (in.shared != nullptr) {
    store_rows(columns, in.shared + token * in.shared_stride, in.shared_stride, 1, down_shared.n_in,
               n_shared * kTileColumns);
  }
  store_rows(columns + n_shared * kTileColumns,
             in.inner + static_cast<int64_t>(token) * routing.top_k * in.inner_stride, in.inner_stride, routing.top_k,
             down.n_in, down.n_blocks * kTileColumns);
  __syncthreads();
  const __half* column = lane / 4 == 0 ? columns : nullptr;
  const auto column_at = [&](int unit) { return column == nullptr ? nullptr : column + unit * kTileColumns; };
  if (takes_shared) {
    WarpTile<kSharedFormat>::multiply(place, warp_id(), n_shared_warps, n_shared, 1, partial, shared_tile, column_at);
  } else {
    WarpTile<kFormat>::multiply(place, routed_warp, n_warps() - n_shared_warps, n_routed, 1,
                                partial + n_shared * kTileRows, routed_tile,
                                [&](int unit) { return column_at(n_shared + unit); });
  }
  let_next_kernel_start();
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x);
  const int out_row = row_tile * kTileRows + row;
  if (row < kTileRows && out_row < down.n_out) {
    float sum = n_shared > 0 ? sum_blocks(partial, 0, n_shared, 1, 0, row) / kInnerScale : 0.0f;
    for (int s = 0; s < routing.top_k; ++s) {
      float expert_out = sum_blocks(partial, n_shared + s * down.n_blocks, down.n_blocks, 1, 0, row) / kInnerScale;
      if (bias != nullptr) expert_out += bias[experts[s] * down.n_out + out_row];
      sum = __fmaf_rn(routing.weight[token * routing.top_k + s], expert_out, sum);
    }
    x.data[token * x.row_stride + out_row] += sum;
  }
}

size_t columns_bytes(int n_tokens, int n_blocks) {
  return static_cast<size_t>(n_tokens) * (n_blocks * kTileColumns + kColumnPad) * sizeof(__half);
}
size_t partial_bytes(int n_units, int n_tokens) {
  return static_cast<size_t>(n_units) * n_tokens * kTileRows * sizeof(float);
}

/// A block with a warp for each unit, as far as threads and shared memory go.
LaunchShape block_for(const Stream& stream, dim3 grid, int n_units, int most_warps, int tile_bytes,
                      size_t other_bytes) {
  const int fitting = static_cast<int>((stream.shared_bytes - std::min(stream.shared_bytes, other_bytes)) /
                                       static_cast<size_t>(tile_bytes));
  const int warps = std::clamp(std::min(n_units, fitting), kLeastWarps, most_warps);
  return {grid, dim3(static_cast<unsigned>(warps * 32)),
          static_cast<size_t>(warps) * static_cast<size_t>(tile_bytes) + other_bytes};
}

/// Tokens of one launch: as many as shared memory has room for beside the fewest warps' tiles.
int fitting_tokens(const Stream& stream, int n_tokens, int n_blocks, int n_units, int tile_bytes) {
  const auto fits = [&](int t) {
    return static_cast<size_t>(kLeastWarps) * static_cast<size_t>(tile_bytes) + columns_bytes(t, n_blocks) +
               partial_bytes(n_units, t) <=
           stream.shared_bytes;
  };
  while (n_tokens > 1 && !fits(n_tokens)) --n_tokens;
  if (!fits(n_tokens)) fail("rows of {} values are too long for this GPU's shared memory", n_blocks * kTileColumns);
  return n_tokens;
}

/// Tokens [first, first + count) of an input.
MatvecInput tokens_of(MatvecInput in, int first, int count) {
  in.x += first * in.row_stride;
  in.n_tokens = count;
  return in;
}

template <class Work>
void launch_matvec(const Stream& stream, MatvecArgs args, const MatvecInput& in, int count, const Work& work,
                   int n_work_blocks) {
  const PackedMatrix& matrix = args.matrix[0];
  GLINT_CHECK(in.n_tokens >= 1 && in.n_tokens <= kMatvecTokens);
  args.tiles_per_block = std::max(1, kLeastWarps / matrix.n_blocks);
  args.n_first_blocks = blocks_for(matrix.n_row_tiles, args.tiles_per_block);
  args.n_blocks = args.n_first_blocks + blocks_for(args.matrix[1].n_row_tiles, args.tiles_per_block);
  const int n_units = args.tiles_per_block * matrix.n_blocks;
  const int tile_bytes = tile_layout(matrix.format).bytes();
  const int most = fitting_tokens(stream, in.n_tokens, matrix.n_blocks, n_units, tile_bytes);
  for (int first = 0; first < in.n_tokens; first += most) {
    const MatvecInput part = tokens_of(in, first, std::min(most, in.n_tokens - first));
    // Other work goes with the first launch.
    const dim3 grid(static_cast<unsigned>(args.n_blocks + (first == 0 ? n_work_blocks : 0)),
                    static_cast<unsigned>(count));
    const LaunchShape shape =
        block_for(stream, grid, n_units, kMostWarps, tile_bytes,
                  columns_bytes(part.n_tokens, matrix.n_blocks) + partial_bytes(n_units, part.n_tokens));
    with_format(matrix.format,
                [&]<PackedFormat kFormat>() { launch(stream, shape, matvec_kernel<kFormat, Work>, args, part, work); });
    for (MatvecOutput& out : args.out) {
      if (out.out != nullptr) out.out += most * out.row_stride;
    }
  }
}

/// What a block of second halves takes for one token.
struct DownSizes {
  int n_units, tile_bytes;
  size_t other_bytes;
};
DownSizes down_sizes(const PackedMatrix& down, const PackedMatrix* shared, int top_k) {
  const int n_units = top_k * down.n_blocks + (shared != nullptr ? shared->n_blocks : 0);
  const int tile_bytes = tile_layout(down.format).bytes();
  return {n_units, shared != nullptr ? std::max(tile_bytes, tile_layout(shared->format).bytes()) : tile_bytes,
          columns_bytes(1, n_units) + partial_bytes(n_units, 1)};
}

/// Tokens of one dense launch of a gated pair.
int glu_tokens(const Stream& stream, const PackedMatrix& gate, int n_tokens) {
  return fitting_tokens(stream, n_tokens, gate.n_blocks, 2 * gate.n_blocks,
                        glu_places(gate.format) * tile_layout(gate.format).bytes());
}

/// Grid and block of a gated pair over `n_slots` (1: dense).
LaunchShape glu_shape(const Stream& stream, const PackedMatrix& gate, int tiles_per_block, int n_tokens, int n_slots,
                      int n_work_blocks, size_t work_bytes) {
  const int n_units = 2 * gate.n_blocks * tiles_per_block;
  const dim3 grid(static_cast<unsigned>(blocks_for(gate.n_row_tiles, tiles_per_block) + n_work_blocks),
                  static_cast<unsigned>(n_slots));
  LaunchShape shape = block_for(stream, grid, blocks_for(n_units, glu_places(gate.format)), kMostWarps,
                                glu_places(gate.format) * tile_layout(gate.format).bytes(),
                                columns_bytes(n_tokens, gate.n_blocks) + partial_bytes(n_units, n_tokens));
  shape.shared_bytes = std::max(shape.shared_bytes, work_bytes);
  return shape;
}

}  // namespace

void matvec(const Stream& stream, const MatvecOutput& out, const MatvecInput& in, const PackedMatrix& matrix,
            int count) {
  launch_matvec(stream, {.matrix = {matrix, {}}, .out = {out, {}}}, in, count, NoWork{}, 0);
}

void matvec_and_mla_rows(const Stream& stream, const MatvecOutput& out, const MatvecInput& in,
                         const PackedMatrix& matrix, int count, const MlaRowArgs& rows) {
  GLINT_CHECK(count == rows.shape.n_heads && rows.cache.k != nullptr);
  launch_matvec(stream, {.matrix = {matrix, {}}, .out = {out, {}}}, in, count, MlaRowWork{rows}, 2 * in.n_tokens);
}

void matvec_pair(const Stream& stream, const MatvecOutput& out0, const PackedMatrix& matrix0, const MatvecOutput& out1,
                 const PackedMatrix& matrix1, const MatvecInput& in) {
  GLINT_CHECK(matrix0.n_in == matrix1.n_in);
  if (matrix0.format != matrix1.format) {
    matvec(stream, out0, in, matrix0);
    return matvec(stream, out1, in, matrix1);
  }
  launch_matvec(stream, {.matrix = {matrix0, matrix1}, .out = {out0, out1}}, in, 1, NoWork{}, 0);
}

void matvec_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                const PackedMatrix& up, const Routing* routing) {
  GLINT_CHECK(gate.format == up.format && (routing != nullptr || in.n_tokens <= kMatvecTokens));
  const int n_slots = routing != nullptr ? in.n_tokens * routing->top_k : 1;
  const int tiles_per_block = routing != nullptr ? kRoutedTiles : 1;
  const int n_together = routing != nullptr ? 1 : glu_tokens(stream, gate, in.n_tokens);
  if (n_together < in.n_tokens && routing == nullptr) {
    for (int first = 0; first < in.n_tokens; first += n_together) {
      GluOutput part = out;
      part.out += first * out.row_stride;
      matvec_glu(stream, part, tokens_of(in, first, std::min(n_together, in.n_tokens - first)), gate, up, nullptr);
    }
    return;
  }
  const LaunchShape shape = glu_shape(stream, gate, tiles_per_block, n_together, n_slots, 0, 0);
  with_format(gate.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, matvec_glu_kernel<kFormat, NoWork>, out, in, gate, up,
           routing != nullptr ? *routing : Routing{}, tiles_per_block, NoWork{});
  });
}

void matvec_glu_and_route(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                          const PackedMatrix& up, const RouteWork& route) {
  GLINT_CHECK(gate.format == up.format && in.n_tokens <= kMatvecTokens);
  if (glu_tokens(stream, gate, in.n_tokens) < in.n_tokens) {
    route_normed(stream, route.out, route.logits, route.in, route.params, route.arrived);
    return matvec_glu(stream, out, in, gate, up, nullptr);
  }
  const size_t work_bytes = route_part_bytes(1, route.in.x.width, route.logits.width);
  const int n_warps = static_cast<int>(glu_shape(stream, gate, 1, in.n_tokens, 1, 0, work_bytes).block.x) / 32;
  const int n_parts = blocks_for(route.logits.width, n_warps);
  const LaunchShape shape = glu_shape(stream, gate, 1, in.n_tokens, 1, n_parts * in.n_tokens, work_bytes);
  with_format(gate.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, matvec_glu_kernel<kFormat, RouterWork>, out, in, gate, up, Routing{}, 1,
           RouterWork{route, n_parts});
  });
}

bool matvec_experts_fit(const Stream& stream, const PackedMatrix& gate, const PackedMatrix& down,
                        const PackedMatrix* shared, int top_k) {
  const DownSizes sizes = down_sizes(down, shared, top_k);
  const auto least = [](int tile_bytes) { return static_cast<size_t>(kLeastWarps) * static_cast<size_t>(tile_bytes); };
  return least(sizes.tile_bytes) + sizes.other_bytes <= stream.shared_bytes &&
         glu_shape(stream, gate, kRoutedTiles, 1, 1, 0, 0).shared_bytes <= stream.shared_bytes;
}

void matvec_down(const Stream& stream, Tensor x, const DownInput& in, const PackedMatrix& down, const float* bias,
                 const PackedMatrix& down_shared, const Routing& routing) {
  const PackedMatrix* shared = in.shared != nullptr ? &down_shared : nullptr;
  const PackedFormat shared_format = shared != nullptr ? shared->format : down.format;
  const DownSizes sizes = down_sizes(down, shared, routing.top_k);
  const LaunchShape shape =
      block_for(stream, dim3(static_cast<unsigned>(down.n_row_tiles), static_cast<unsigned>(x.n_rows)), sizes.n_units,
                kMostDownWarps, sizes.tile_bytes, sizes.other_bytes);
  with_format(down.format, [&]<PackedFormat kFormat>() {
    if (shared_format == kFormat) {
      launch(stream, shape, matvec_down_kernel<kFormat, kFormat>, x, in, down, bias, down_shared, routing);
    } else {
      with_format(shared_format, [&]<PackedFormat kSharedFormat>() {
        launch(stream, shape, matvec_down_kernel<kFormat, kSharedFormat>, x, in, down, bias, down_shared, routing);
      });
    }
  });
}

}  // namespace glint::cuda
