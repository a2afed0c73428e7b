// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/warp_tiles.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kTokens = kFewTokens;
constexpr int kRowPad = 8;  // halves after each token in shared memory (tile_product_rows)

/// How a block shares its work: units are tiles, of each row of tiles (of a gated pair: the gate's, then the other's)
/// the tiles side by side.
struct FewShape {
  int n_row_tiles;  // rows of tiles, or pairs of them, of a block
  int n_units;
  int n_columns;  // of a token in shared memory
  static constexpr size_t kUnitSums = kTileRows * kTokens * sizeof(float);
  size_t shared_bytes(int tile_bytes) const {
    return static_cast<size_t>(n_units) * static_cast<size_t>(tile_bytes) +
           static_cast<size_t>(kTokens * (n_columns + kRowPad)) * sizeof(__half);
  }
};

/// The fewest rows with which all warps have as many units, and two at least; of long rows one.
FewShape few_shape(const PackedMatrix& matrix, bool gated) {
  const int units_of_row = matrix.n_blocks * (gated ? 2 : 1);
  int rows = 1;
  while (units_of_row * rows < 2 * kWarps || (units_of_row * rows % kWarps != 0 && rows < kWarps)) ++rows;
  if (units_of_row * rows > 6 * kWarps) rows = 1;
  return {rows, units_of_row * rows, matrix.n_blocks * kTileColumns};
}

/// Waits until at most so many of this thread's groups of copies are under way, or fewer.
__device__ __forceinline__ void wait_for_copies(int most_left) {
  switch (most_left) {
    case 0:
      return cp_async_wait<0>();
    case 1:
      return cp_async_wait<1>();
    case 2:
      return cp_async_wait<2>();
    case 3:
      return cp_async_wait<3>();
    default:
      return cp_async_wait<4>();
  }
}

/// Grid: (tiles of tokens, rows of tiles / shape.n_row_tiles, stacked matrices): blocks that read the same weights
/// follow each other. A unit's sums take the place of its tile.
template <PackedFormat kFormat, Kind kKind, Store kStore>
__global__ void __launch_bounds__(kThreads) matmul_few_kernel(MatmulArgs args, FewShape shape) {
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  constexpr bool kGated = kKind == Kind::kGlu;
  static_assert(FewShape::kUnitSums <= kTileBytes);
  auto* tiles = dynamic_shared<uint8_t>();
  auto* columns = reinterpret_cast<__half*>(tiles + shape.n_units * kTileBytes);
  const int pitch = shape.n_columns + kRowPad;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int head = static_cast<int>(blockIdx.z);
  const PackedMatrix& matrix = args.matrix[0];
  const int n_blocks = matrix.n_blocks;
  const int first_row_tile = static_cast<int>(blockIdx.y) * shape.n_row_tiles;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const TokenRows rows = token_rows<kTokens>(args, static_cast<int>(blockIdx.x));
  if (rows.n_tokens <= 0) return;
  // Inputs first: a multiprocessor's requests are answered in order.
  const int n_half_columns = (matrix.n_in + 63) / 64 * 64;
  for (int i = thread; i < rows.n_tokens * shape.n_columns / 8; i += kThreads) {
    const int token = i / (shape.n_columns / 8);
    const int at = i % (shape.n_columns / 8) * 8;
    const __half* from = args.x.data + rows.x_row(token) * args.x.row_stride + head * args.x.head_stride;
    cp_async_16(columns + token * pitch + at, from + (at < n_half_columns ? at : 0), at < n_half_columns);
  }
  cp_async_commit();
  const int64_t matrix_tiles = static_cast<int64_t>(rows.expert + head) * matrix.n_row_tiles * n_blocks;
  int n_left = 0;
  for (int unit = warp; unit < shape.n_units; unit += kWarps, ++n_left) {
    const int row = unit / n_blocks;  // of gated pairs: twice the row of tiles
    const int row_tile = min(first_row_tile + (kGated ? row / 2 : row), matrix.n_row_tiles - 1);
    const uint8_t* from = args.matrix[kGated ? row % 2 : 0].tiles;
    copy_tile<kFormat, false>(
        tiles + unit * kTileBytes,
        from + (matrix_tiles + static_cast<int64_t>(row_tile) * n_blocks + unit % n_blocks) * kTileBytes, lane);
    cp_async_commit();
  }
  wait_for_copies(n_left);
  __syncthreads();
#pragma unroll 1
  for (int unit = warp; unit < shape.n_units; unit += kWarps) {
    wait_for_copies(--n_left);
    __syncwarp();
    float sum[4];
    uint8_t* tile = tiles + unit * kTileBytes;
    tile_product_rows<kFormat>(sum, tile, columns + unit % n_blocks * kTileColumns, pitch, rows.n_tokens, lane);
    __syncwarp();
    auto* sums = reinterpret_cast<float*>(tile);
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[(lane % 4 * 2 + i % 2) * kTileRows + lane / 4 + 8 * (i / 2)] = sum[i];
  }
  __syncthreads();
  const auto sum_of = [&](int unit, int token, int row) {
    const uint8_t* at = tiles + unit * kTileBytes + (token * kTileRows + row) * sizeof(float);
    float sum = 0;
#pragma unroll 4
    for (int b = 0; b < n_blocks; ++b) sum += *reinterpret_cast<const float*>(at + b * kTileBytes);
    return sum;
  };
  for (int i = thread; i < rows.n_tokens * shape.n_row_tiles * kTileRows; i += kThreads) {
    const int row_in_tile = i % kTileRows;
    const int tile = i / kTileRows % shape.n_row_tiles;
    const int token = i / kTileRows / shape.n_row_tiles;
    const int row = (first_row_tile + tile) * kTileRows + row_in_tile;
    if (row >= matrix.n_out) continue;
    const int64_t at = rows.out_row(token) * args.out.row_stride + head * args.out.head_stride + row;
    if constexpr (kGated) {
      const float gate =
          with_bias(sum_of(2 * tile * n_blocks, token, row_in_tile), args.out.bias, rows.expert, matrix.n_out, row);
      const float up = with_bias(sum_of((2 * tile + 1) * n_blocks, token, row_in_tile), args.up_bias, rows.expert,
                                 matrix.n_out, row);
      store_value<Store::kHalf>(args.out, at, activate(gate, up, args.activation) * kInnerScale);
    } else {
      const float scaled = sum_of(tile * n_blocks, token, row_in_tile) * args.out.scale;
      store_value<kStore>(args.out, at, with_bias(scaled, args.out.bias, rows.expert + head, matrix.n_out, row));
    }
  }
}

}  // namespace

bool few_fit(const Stream& stream, const PackedMatrix& matrix, bool gated) {
  return few_shape(matrix, gated).shared_bytes(tile_layout(matrix.format).bytes()) <= stream.shared_bytes;
}

int tokens_of_tile(int n_slots, int n_experts, bool few_fit) {
  // With more slots an expert's weights would be unpacked again too often.
  return few_fit && n_slots <= 12 * n_experts ? kFewTokens : kMatmulTokens;
}

template <Kind kKind, Store kStore>
void launch_matmul_few(const Stream& stream, const MatmulArgs& args, int count) {
  const PackedMatrix& matrix = args.matrix[0];
  GLINT_CHECK(args.x.row_stride % 8 == 0 && args.x.head_stride % 8 == 0);
  const FewShape few = few_shape(matrix, kKind == Kind::kGlu);
  const LaunchShape shape{
      dim3(static_cast<unsigned>(token_tiles(args, kTokens)),
           static_cast<unsigned>(blocks_for(matrix.n_row_tiles, few.n_row_tiles)), static_cast<unsigned>(count)),
      dim3(kThreads), few.shared_bytes(tile_layout(matrix.format).bytes())};
  with_format(matrix.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, matmul_few_kernel<kFormat, kKind, kStore>, args, few);
  });
}

template void launch_matmul_few<Kind::kStore, Store::kF32>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kStore, Store::kF32Add>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kStore, Store::kHalf>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulArgs&, int);

}  // namespace glint::cuda
