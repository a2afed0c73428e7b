// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_product.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = kFewRowsOfBlock / kTileRows;  // each has 16 rows of weights
constexpr int kTokenTiles = kFewTokens / 8;
constexpr int kPitch = kTileColumns + 8;  // of a token in shared memory: no two of eight tokens' chunks in one bank
constexpr int kMostStages = 3;

/// 256 columns on their way: each warp's tile of weights, and the tokens.
template <PackedFormat kFormat>
struct Stage {
  uint8_t weights[kWarps][tile_layout(kFormat).bytes()];
  __half tokens[kFewTokens][kPitch];
};

/// A warp's sums as it leaves them for another.
using LaneSums = float4[kTokenTiles][32];

/// The tokens that a warp copies: every so manieth.
struct TokenSources {
  const __half* rows[kFewTokens / kWarps];
  __device__ __forceinline__ TokenSources(const MatmulArgs& args, const TokenRows& tokens, int head, int warp) {
#pragma unroll
    for (int i = 0; i < kFewTokens / kWarps; ++i) {
      const int token = warp + i * kWarps;
      rows[i] = token < tokens.n_tokens
                    ? args.x.data + tokens.x_row(token) * args.x.row_stride + head * args.x.head_stride
                    : nullptr;
    }
  }
};

/// Starts a warp's copies of columns [256 block, + 256): of the tokens, zeros from n_columns on.
template <PackedFormat kFormat>
__device__ __forceinline__ void copy_stage(Stage<kFormat>& stage, const TokenSources& sources, const uint8_t* tile,
                                           int block, int n_columns, int warp, int lane) {
  const int at = block * kTileColumns + lane * 8;
#pragma unroll
  for (int i = 0; i < kFewTokens / kWarps; ++i) {
    if (sources.rows[i] == nullptr) break;
    cp_async_16(&stage.tokens[warp + i * kWarps][lane * 8], sources.rows[i] + (at < n_columns ? at : 0),
                at < n_columns);
  }
  copy_tile<kFormat, false>(stage.weights[warp], tile + static_cast<int64_t>(block) * tile_layout(kFormat).bytes(),
                            lane);
}

/// sum = a tile's products with the first kTiles eights of tokens, in the order of device/tile_product.cuh. PRECOND:
/// sum is zero.
template <int kTiles, PackedFormat kFormat>
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

/// Calls fn(token, row of the warp's tile, value's indices) for the sums of a lane that exist.
template <class Fn>
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
template <PackedFormat kFormat, Kind kKind, Store kStore>
__global__ void __launch_bounds__(kWarps * 32, 2)
    matmul_few_kernel(const __grid_constant__ MatmulPair pair_args, SecondFrom second_from, int n_stages) {
  constexpr bool kGated = kKind == Kind::kGlu;
  constexpr int kRowTiles = kGated ? kWarps / 2 : kWarps;
  auto* stages = dynamic_shared<Stage<kFormat>>();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int head = static_cast<int>(blockIdx.z);
  const int x = static_cast<int>(blockIdx.x);
  const int y = static_cast<int>(blockIdx.y);
  const bool after_x = x >= second_from.x;
  const bool after_y = y >= second_from.y;
  const MatmulArgs& args = pair_args.of[after_x || after_y ? 1 : 0];
  const PackedMatrix& matrix = args.matrix[0];
  const int n_blocks = matrix.n_blocks;
  const int n_columns = (matrix.n_in + 63) / 64 * 64;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const TokenRows tokens = token_rows<kFewTokens>(args.groups, args.x.n_rows, after_x ? x - second_from.x : x);
  if (tokens.n_tokens <= 0) return;
  const int row_tile = (after_y ? y - second_from.y : y) * kRowTiles + warp % kRowTiles;
  // Rows of tiles past the end are computed from the last one and not stored.
  const uint8_t* tile =
      args.matrix[kGated ? warp / kRowTiles : 0].tiles +
      (static_cast<int64_t>(tokens.expert + head) * matrix.n_row_tiles + min(row_tile, matrix.n_row_tiles - 1)) *
          n_blocks * tile_layout(kFormat).bytes();
  const TokenSources sources(args, tokens, head, warp);
  const auto copy = [&](int block) {
    if (block < n_blocks) copy_stage(stages[block % n_stages], sources, tile, block, n_columns, warp, lane);
    cp_async_commit();
  };
  for (int s = 0; s < n_stages - 1; ++s) copy(s);
  float total[kTokenTiles][4] = {};
#pragma unroll 1
  for (int block = 0; block < n_blocks; ++block) {
    if (n_stages == 1) {
      __syncthreads();
      copy(block);
    }
    if (n_stages == kMostStages) {
      cp_async_wait<kMostStages - 2>();
    } else {
      cp_async_wait<0>();
    }
    __syncthreads();
    if (n_stages > 1) copy(block + n_stages - 1);
    Stage<kFormat>& stage = stages[block % n_stages];
    float sum[kTokenTiles][4] = {};
    if (tokens.n_tokens <= 8) {
      multiply_tile<1, kFormat>(sum, stage.weights[warp], stage.tokens, lane);
    } else if (tokens.n_tokens <= 16) {
      multiply_tile<2, kFormat>(sum, stage.weights[warp], stage.tokens, lane);
    } else {
      multiply_tile<kTokenTiles, kFormat>(sum, stage.weights[warp], stage.tokens, lane);
    }
#pragma unroll
    for (int t = 0; t < kTokenTiles; ++t) {
#pragma unroll
      for (int i = 0; i < 4; ++i) total[t][i] = __fadd_rn(total[t][i], sum[t][i]);
    }
  }
  const auto at = [&](int token, int row) {
    return tokens.out_row(token) * args.out.row_stride + head * args.out.head_stride + row;
  };
  const int first_row = row_tile * kTileRows;
  if constexpr (kGated) {
    // The warp with the other matrix's rows leaves its sums.
    __syncthreads();
    LaneSums& up_sums = dynamic_shared<LaneSums>()[warp % kRowTiles];
    const bool is_up = warp >= kRowTiles;
    if (is_up) {
#pragma unroll
      for (int t = 0; t < kTokenTiles; ++t)
        up_sums[t][lane] = make_float4(total[t][0], total[t][1], total[t][2], total[t][3]);
    }
    __syncthreads();
    if (is_up) return;
    for_each_sum(tokens.n_tokens, first_row, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      const float other = reinterpret_cast<const float*>(&up_sums[t][lane])[i];
      store_gated(args, tokens.expert, at(token, row), row, total[t][i], other);
    });
  } else {
    for_each_sum(tokens.n_tokens, first_row, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      store_sum<kStore>(args, tokens.expert + head, at(token, row), row, total[t][i]);
    });
  }
}

/// Blocks that share a multiprocessor hide each other's waits: two of two stages rather than one of three. A second
/// product of the same rows has blocks of its own below the first's, one of other rows beside them.
template <PackedFormat kFormat, Kind kKind, Store kStore>
void launch_format(const Stream& stream, const MatmulPair& args, int count) {
  static_assert(sizeof(LaneSums) * kWarps / 2 <= sizeof(Stage<kFormat>));
  const MatmulArgs& first = args.of[0];
  const MatmulArgs& second = args.of[1];
  const int rows_of_block = kFewRowsOfBlock / (kKind == Kind::kGlu ? 2 : 1);
  int n_x = token_tiles(first, kFewTokens);
  int n_y = blocks_for(first.matrix[0].n_out, rows_of_block);
  SecondFrom second_from;
  if (second.x.n_rows > 0 && first.groups.n_experts > 0) {
    second_from.x = n_x;
    n_x += token_tiles(second, kFewTokens);
  } else if (second.x.n_rows > 0) {
    second_from.y = n_y;
    n_y += blocks_for(second.matrix[0].n_out, rows_of_block);
  }
  const int n_blocks = std::max(first.matrix[0].n_blocks, second.matrix[0].n_blocks);
  const auto fitting = static_cast<int>(stream.shared_bytes / sizeof(Stage<kFormat>));
  const int n_stages = std::min({n_blocks, fitting, fitting >= 2 * kMostStages ? kMostStages : 2});
  launch(stream,
         {dim3(static_cast<unsigned>(n_x), static_cast<unsigned>(n_y), static_cast<unsigned>(count)), dim3(kWarps * 32),
          static_cast<size_t>(n_stages) * sizeof(Stage<kFormat>)},
         matmul_few_kernel<kFormat, kKind, kStore>, args, second_from, n_stages);
}

}  // namespace

template <Kind kKind, Store kStore>
void launch_matmul_few(const Stream& stream, const MatmulPair& args, int count) {
  const MatmulArgs& first = args.of[0];
  for (const MatmulArgs& of : args.of) GLINT_CHECK(of.x.row_stride % 8 == 0 && of.x.head_stride % 8 == 0);
  GLINT_CHECK(args.of[1].x.n_rows == 0 || (count == 1 && args.of[1].matrix[0].format == first.matrix[0].format));
  with_format(first.matrix[0].format,
              [&]<PackedFormat kFormat>() { launch_format<kFormat, kKind, kStore>(stream, args, count); });
}

template void launch_matmul_few<Kind::kStore, Store::kF32>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kStore, Store::kF32Add>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kStore, Store::kHalf>(const Stream&, const MatmulPair&, int);
template void launch_matmul_few<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulPair&, int);

}  // namespace glint::cuda
