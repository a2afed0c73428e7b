// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_product.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kPitch = kTileColumns + 8;  // of a token in shared memory: no two of eight tokens' chunks in one bank

/// How a block's warps share its work: rows_of() warps side by side have 16 rows of weights each. kSplit: parts_of()
/// such rows of warps take turns along the columns, so that a matrix with few rows keeps a card busy.
/// kSplit8: the same with 8 tokens a block.
enum class Sharing { kWhole, kSplit, kSplit8 };
constexpr int rows_of(Sharing sharing) {
  return sharing == Sharing::kWhole ? 8 : 4;
}
constexpr int parts_of(Sharing sharing) {
  return sharing == Sharing::kWhole ? 1 : 4;
}
constexpr int tokens_of(Sharing sharing) {
  return sharing == Sharing::kSplit8 ? 8 : kFewTokens;
}
constexpr int token_tiles_of(Sharing sharing) {
  return tokens_of(sharing) / 8;
}

/// Columns on their way, 256 for each part: each warp's tile of weights, and the tokens.
template <PackedFormat kFormat, Sharing kSharing>
struct Stage {
  uint8_t weights[parts_of(kSharing)][rows_of(kSharing)][tile_layout(kFormat).bytes()];
  __half tokens[parts_of(kSharing)][tokens_of(kSharing)][kPitch];
};
constexpr int kMostStages = 3;

/// A warp's sums as it leaves them for another.
template <int kTokenTiles>
using LaneSums = float4[kTokenTiles][32];
template <int kTokenTiles>
__device__ __forceinline__ void leave(LaneSums<kTokenTiles>& to, const float (&sums)[kTokenTiles][4], int lane) {
#pragma unroll
  for (int t = 0; t < kTokenTiles; ++t) to[t][lane] = make_float4(sums[t][0], sums[t][1], sums[t][2], sums[t][3]);
}

/// The tokens that a warp copies 256 columns of: of its part, every so manieth.
template <Sharing kSharing>
struct TokenSources {
  const __half* rows[tokens_of(kSharing) / rows_of(kSharing)];
  __device__ __forceinline__ TokenSources(const MatmulArgs& args, const TokenRows& tokens, int head, int row_warp) {
#pragma unroll
    for (int i = 0; i < tokens_of(kSharing) / rows_of(kSharing); ++i) {
      const int token = row_warp + i * rows_of(kSharing);
      rows[i] = token < tokens.n_tokens
                    ? args.x.data + tokens.x_row(token) * args.x.row_stride + head * args.x.head_stride
                    : nullptr;
    }
  }
};

/// Which part of a block's work a warp has.
template <Sharing kSharing>
struct WarpPlace {
  int lane = static_cast<int>(threadIdx.x) % 32;
  int row = static_cast<int>(threadIdx.x) / 32 % rows_of(kSharing);
  int part = static_cast<int>(threadIdx.x) / 32 / rows_of(kSharing);
};

/// Starts a warp's copies of columns [256 block, + 256): of the tokens, zeros from n_columns on.
template <PackedFormat kFormat, Sharing kSharing>
__device__ __forceinline__ void copy_stage(Stage<kFormat, kSharing>& stage, const TokenSources<kSharing>& sources,
                                           const uint8_t* tile, int block, int n_columns,
                                           const WarpPlace<kSharing>& place) {
  const int at = block * kTileColumns + place.lane * 8;
#pragma unroll
  for (int i = 0; i < tokens_of(kSharing) / rows_of(kSharing); ++i) {
    if (sources.rows[i] == nullptr) break;
    cp_async_16(&stage.tokens[place.part][place.row + i * rows_of(kSharing)][place.lane * 8],
                sources.rows[i] + (at < n_columns ? at : 0), at < n_columns);
  }
  copy_tile<kFormat, false>(stage.weights[place.part][place.row],
                            tile + static_cast<int64_t>(block) * tile_layout(kFormat).bytes(), place.lane);
}

/// sum = a tile's products with the first kTiles eights of tokens, in the order of device/tile_product.cuh. PRECOND:
/// sum is zero.
template <int kTiles, PackedFormat kFormat, int kTokenTiles>
__device__ __forceinline__ void multiply_tile(float (&sum)[kTokenTiles][4], const uint8_t* tile,
                                              const __half (*tokens)[kPitch], int lane) {
  RowFactors<kFormat> factors;
  factors.template load<FromShared>(tile, lane);
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    Quarter<kFormat> quarter;
    quarter.template load<FromShared>(tile, q, lane);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t a[2][4];
      unpack_step(quarter, factors, 2 * half, a[0]);
      unpack_step(quarter, factors, 2 * half + 1, a[1]);
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        uint32_t b[4];  // 32 columns of eight tokens
        ldmatrix_x4(b, &tokens[t * 8 + lane % 8][q * 64 + half * 32 + lane / 8 * 8]);
        mma_f16(sum[t], a[0], b[0], b[1]);
        mma_f16(sum[t], a[1], b[2], b[3]);
      }
    }
  }
#pragma unroll
  for (int t = 0; t < kTiles; ++t) factors.scale(sum[t]);
}

__device__ __forceinline__ void add(float (&total)[4], const float (&sum)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) total[i] = __fadd_rn(total[i], sum[i]);
}

/// Calls fn(token, row of the warp's tile, value's indices) for the sums of a lane that exist.
template <int kTokenTiles, class Fn>
__device__ __forceinline__ void for_each_sum(int n_tokens, int first_row, int n_out, int lane, Fn fn) {
#pragma unroll
  for (int t = 0; t < kTokenTiles; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = t * 8 + lane % 4 * 2 + i % 2;
      const int row = first_row + lane / 4 + 8 * (i / 2);
      if (token < n_tokens && row < n_out) fn(token, row, t, i);
    }
  }
}

/// Which blocks have the second product: those that begin at these tiles of tokens, or at these rows of weights.
struct SecondFrom {
  int x = 1 << 30;
  int y = 1 << 30;
};

/// Grid: (tiles of tokens, rows of weights, stacked matrices): blocks that read the same weights follow each other.
template <PackedFormat kFormat, Sharing kSharing, Kind kKind, Store kStore>
__global__ void __launch_bounds__(rows_of(kSharing) * parts_of(kSharing) * 32, parts_of(kSharing) == 1 ? 2 : 1)
    matmul_few_kernel(const __grid_constant__ MatmulPair pair_args, SecondFrom second_from, int n_stages) {
  constexpr bool kGated = kKind == Kind::kGlu;
  constexpr int kTokenTiles = token_tiles_of(kSharing);
  using Sums = LaneSums<kTokenTiles>;
  constexpr int kRowTiles = kGated ? rows_of(kSharing) / 2 : rows_of(kSharing);
  using ThisStage = Stage<kFormat, kSharing>;
  auto* stages = dynamic_shared<ThisStage>();
  const WarpPlace<kSharing> place;
  const int lane = place.lane;
  const int head = static_cast<int>(blockIdx.z);
  const int x = static_cast<int>(blockIdx.x);
  const int y = static_cast<int>(blockIdx.y);
  const bool after_x = x >= second_from.x;
  const bool after_y = y >= second_from.y;
  const MatmulArgs& args = pair_args.of[after_x || after_y ? 1 : 0];
  const PackedMatrix& matrix = args.matrix[0];
  const int n_blocks = matrix.n_blocks;
  const int n_turns = (n_blocks + parts_of(kSharing) - 1) / parts_of(kSharing);
  const int n_columns = (matrix.n_in + 63) / 64 * 64;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const TokenRows tokens = token_rows<tokens_of(kSharing)>(args.groups, args.x.n_rows, after_x ? x - second_from.x : x);
  if (tokens.n_tokens <= 0) return;
  const int row_tile = (after_y ? y - second_from.y : y) * kRowTiles + place.row % kRowTiles;
  // Rows of tiles past the end are computed from the last one and not stored.
  const uint8_t* tile =
      args.matrix[kGated ? place.row / kRowTiles : 0].tiles +
      (static_cast<int64_t>(tokens.expert + head) * matrix.n_row_tiles + min(row_tile, matrix.n_row_tiles - 1)) *
          n_blocks * tile_layout(kFormat).bytes();
  const TokenSources<kSharing> sources(args, tokens, head, place.row);
  const auto copy = [&](int turn) {
    const int block = turn * parts_of(kSharing) + place.part;
    if (block < n_blocks) copy_stage(stages[turn % n_stages], sources, tile, block, n_columns, place);
    cp_async_commit();
  };
  for (int s = 0; s < n_stages - 1; ++s) copy(s);
  float total[kTokenTiles][4] = {};
#pragma unroll 1
  for (int turn = 0; turn < n_turns; ++turn) {
    if (n_stages == 1) {
      __syncthreads();
      copy(turn);
    }
    if (n_stages == kMostStages) {
      cp_async_wait<kMostStages - 2>();
    } else {
      cp_async_wait<0>();
    }
    __syncthreads();
    if (n_stages > 1) copy(turn + n_stages - 1);
    ThisStage& stage = stages[turn % n_stages];
    uint8_t* weights = stage.weights[place.part][place.row];
    float sum[kTokenTiles][4] = {};
    if (turn * parts_of(kSharing) + place.part < n_blocks) {
      if (kTokenTiles == 1 || tokens.n_tokens <= 8) {
        multiply_tile<1, kFormat>(sum, weights, stage.tokens[place.part], lane);
      } else if (tokens.n_tokens <= 16) {
        multiply_tile<(kTokenTiles + 1) / 2, kFormat>(sum, weights, stage.tokens[place.part], lane);
      } else {
        multiply_tile<kTokenTiles, kFormat>(sum, weights, stage.tokens[place.part], lane);
      }
    }
    if constexpr (parts_of(kSharing) > 1) {
      // The other parts' sums take the place of their tiles.
      __syncwarp();
      if (place.part > 0) leave(*reinterpret_cast<Sums*>(weights), sum, lane);
      __syncthreads();
      if (place.part > 0) continue;
    }
#pragma unroll
    for (int t = 0; t < kTokenTiles; ++t) {
      add(total[t], sum[t]);
#pragma unroll
      for (int part = 1; part < parts_of(kSharing); ++part) {
        if (turn * parts_of(kSharing) + part >= n_blocks) break;
        const float4 v = (*reinterpret_cast<const Sums*>(stage.weights[part][place.row]))[t][lane];
        const float other[4] = {v.x, v.y, v.z, v.w};
        add(total[t], other);
      }
    }
  }
  const auto at = [&](int token, int row) {
    return tokens.out_row(token) * args.out.row_stride + head * args.out.head_stride + row;
  };
  const int first_row = row_tile * kTileRows;
  if constexpr (kGated) {
    // The warp with the other matrix's rows leaves its sums.
    __syncthreads();
    auto* up_sums = dynamic_shared<Sums>();
    const int pair = place.row % kRowTiles;
    const bool is_up = place.row >= kRowTiles;
    if (is_up && place.part == 0) leave(up_sums[pair], total, lane);
    __syncthreads();
    if (is_up || place.part > 0) return;
    for_each_sum<kTokenTiles>(tokens.n_tokens, first_row, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      const float other = reinterpret_cast<const float*>(&up_sums[pair][t][lane])[i];
      store_gated(args, tokens.expert, at(token, row), row, total[t][i], other);
    });
  } else {
    if (place.part > 0) return;
    for_each_sum<kTokenTiles>(tokens.n_tokens, first_row, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      store_sum<kStore>(args, tokens.expert + head, at(token, row), row, total[t][i]);
    });
  }
}

template <PackedFormat kFormat, Sharing kSharing>
int fitting_stages(const Stream& stream) {
  static_assert(sizeof(LaneSums<token_tiles_of(kSharing)>) <= tile_layout(kFormat).bytes());
  return static_cast<int>(stream.shared_bytes / sizeof(Stage<kFormat, kSharing>));
}

/// Blocks that share a multiprocessor hide each other's waits: two of two stages rather than one of three. A second
/// product of the same rows has blocks of its own below the first's, one of other rows beside them.
template <PackedFormat kFormat, Sharing kSharing, Kind kKind, Store kStore>
void launch_shared(const Stream& stream, const MatmulPair& args, int count) {
  using ThisStage = Stage<kFormat, kSharing>;
  const MatmulArgs& first = args.of[0];
  const MatmulArgs& second = args.of[1];
  const int rows_of_block = rows_of(kSharing) * kTileRows / (kKind == Kind::kGlu ? 2 : 1);
  int n_x = token_tiles(first, tokens_of(kSharing));
  int n_y = blocks_for(first.matrix[0].n_out, rows_of_block);
  SecondFrom second_from;
  if (second.x.n_rows > 0 && first.groups.n_experts > 0) {
    second_from.x = n_x;
    n_x += token_tiles(second, tokens_of(kSharing));
  } else if (second.x.n_rows > 0) {
    second_from.y = n_y;
    n_y += blocks_for(second.matrix[0].n_out, rows_of_block);
  }
  const int n_blocks = std::max(first.matrix[0].n_blocks, second.matrix[0].n_blocks);
  const int n_turns = (n_blocks + parts_of(kSharing) - 1) / parts_of(kSharing);
  const int fitting = fitting_stages<kFormat, kSharing>(stream);
  const int n_stages = std::min({n_turns, fitting, fitting >= 2 * kMostStages ? kMostStages : 2});
  launch(stream,
         {dim3(static_cast<unsigned>(n_x), static_cast<unsigned>(n_y), static_cast<unsigned>(count)),
          dim3(rows_of(kSharing) * parts_of(kSharing) * 32), static_cast<size_t>(n_stages) * sizeof(ThisStage)},
         matmul_few_kernel<kFormat, kSharing, kKind, kStore>, args, second_from, n_stages);
}

/// Blocks of Sharing::kWhole that the dense products would make: with few, warps had better share columns, if there are
/// columns for all.
bool has_few_blocks(const Stream& stream, const MatmulPair& args, int count) {
  const MatmulArgs& first = args.of[0];
  if (first.groups.n_experts > 0 || first.matrix[0].n_blocks <= parts_of(Sharing::kSplit) / 2) return false;
  int n = 0;
  for (const MatmulArgs& of : args.of) {
    if (of.x.n_rows == 0) continue;
    n += token_tiles(of, kFewTokens) * blocks_for(of.matrix[0].n_out, rows_of(Sharing::kWhole) * kTileRows) * count;
  }
  return n < 2 * stream.n_multiprocessors;
}

}  // namespace

template <Kind kKind, Store kStore>
void launch_matmul_few(const Stream& stream, const MatmulPair& args, int count) {
  const MatmulArgs& first = args.of[0];
  for (const MatmulArgs& of : args.of) GLINT_CHECK(of.x.row_stride % 8 == 0 && of.x.head_stride % 8 == 0);
  GLINT_CHECK(args.of[1].x.n_rows == 0 || (count == 1 && args.of[1].matrix[0].format == first.matrix[0].format));
  with_format(first.matrix[0].format, [&]<PackedFormat kFormat>() {
    const bool few_blocks = has_few_blocks(stream, args, count);
    if (few_blocks && first.x.n_rows <= kFewTokens && fitting_stages<kFormat, Sharing::kSplit8>(stream) > 0) {
      launch_shared<kFormat, Sharing::kSplit8, kKind, kStore>(stream, args, count);
    } else if (few_blocks && fitting_stages<kFormat, Sharing::kSplit>(stream) > 0) {
      launch_shared<kFormat, Sharing::kSplit, kKind, kStore>(stream, args, count);
    } else {
      launch_shared<kFormat, Sharing::kWhole, kKind, kStore>(stream, args, count);
    }
  });
}

template void launch_matmul_few<Kind::kStore, Store::kF32>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kStore, Store::kF32Add>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kStore, Store::kHalf>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulPair&, int);

}  // namespace glint::cuda
