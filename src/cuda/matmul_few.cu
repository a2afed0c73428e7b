// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_product.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kTokens = kFewTokens;
constexpr int kTokenTiles = kTokens / 8;
constexpr int kPitch = kTileColumns + 8;  // of a token in shared memory: no two of eight tokens' chunks in one bank
constexpr int kChunks = kTileColumns / 8;

/// A tile of columns on its way: each warp's tile of weights, and the tokens.
template <PackedFormat kFormat>
struct Stage {
  uint8_t weights[kWarps][tile_layout(kFormat).bytes()];
  __half tokens[kTokens][kPitch];
};
constexpr int kMostStages = 3;

/// What a gated pair's other half leaves for the warp that stores: in place of the stages.
struct UpSums {
  float4 sums[kWarps / 2][kTokenTiles][32];
};

/// The rows of the tokens that a thread copies a chunk of: warp, warp + 8, ....
struct TokenSources {
  const __half* rows[kTokens / kWarps];
  __device__ __forceinline__ TokenSources(const MatmulArgs& args, const TokenRows& tokens, int head, int warp) {
#pragma unroll
    for (int i = 0; i < kTokens / kWarps; ++i) {
      const int token = warp + i * kWarps;
      rows[i] = token < tokens.n_tokens
                    ? args.x.data + tokens.x_row(token) * args.x.row_stride + head * args.x.head_stride
                    : nullptr;
    }
  }
};

/// Starts the copy of columns [256 block, + 256): of the tokens, zeros from n_columns on.
template <PackedFormat kFormat>
__device__ __forceinline__ void copy_stage(Stage<kFormat>& stage, const TokenSources& sources, const uint8_t* tile,
                                           int block, int n_columns, int warp, int lane) {
  const int at = block * kTileColumns + lane * 8;
#pragma unroll
  for (int i = 0; i < kTokens / kWarps; ++i) {
    if (sources.rows[i] == nullptr) break;
    cp_async_16(&stage.tokens[warp + i * kWarps][lane * 8], sources.rows[i] + (at < n_columns ? at : 0),
                at < n_columns);
  }
  copy_tile<kFormat, false>(stage.weights[warp], tile + static_cast<int64_t>(block) * tile_layout(kFormat).bytes(),
                            lane);
}

/// Adds a tile's products with the first kTiles eights of tokens, in the order of device/tile_product.cuh.
template <int kTiles, PackedFormat kFormat>
__device__ __forceinline__ void add_tile(float (&total)[kTokenTiles][4], const uint8_t* tile,
                                         const __half (*tokens)[kPitch], int lane) {
  RowFactors<kFormat> factors;
  factors.template load<FromShared>(tile, lane);
  float sum[kTiles][4] = {};
#pragma unroll 1
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
  for (int t = 0; t < kTiles; ++t) {
    factors.scale(sum[t]);
#pragma unroll
    for (int i = 0; i < 4; ++i) total[t][i] = __fadd_rn(total[t][i], sum[t][i]);
  }
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

/// Grid: (tiles of tokens, rows of weights, stacked matrices): blocks that read the same weights follow each other.
template <PackedFormat kFormat, Kind kKind, Store kStore>
__global__ void __launch_bounds__(kThreads, 2) matmul_few_kernel(MatmulArgs args, int n_stages) {
  constexpr bool kGated = kKind == Kind::kGlu;
  constexpr int kRowTiles = kGated ? kWarps / 2 : kWarps;
  auto* stages = dynamic_shared<Stage<kFormat>>();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.z);
  const PackedMatrix& matrix = args.matrix[0];
  const int n_blocks = matrix.n_blocks;
  const int n_columns = (matrix.n_in + 63) / 64 * 64;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const TokenRows tokens = token_rows<kTokens>(args, static_cast<int>(blockIdx.x));
  if (tokens.n_tokens <= 0) return;
  const int row_tile = static_cast<int>(blockIdx.y) * kRowTiles + warp % kRowTiles;
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
    const Stage<kFormat>& stage = stages[block % n_stages];
    if (tokens.n_tokens <= 8) {
      add_tile<1, kFormat>(total, stage.weights[warp], stage.tokens, lane);
    } else if (tokens.n_tokens <= 16) {
      add_tile<2, kFormat>(total, stage.weights[warp], stage.tokens, lane);
    } else {
      add_tile<kTokenTiles, kFormat>(total, stage.weights[warp], stage.tokens, lane);
    }
  }
  const auto place_of = [&](int token, int row) {
    return tokens.out_row(token) * args.out.row_stride + head * args.out.head_stride + row;
  };
  if constexpr (kGated) {
    __syncthreads();
    auto& up_sums = *dynamic_shared<UpSums>();
    const int pair = warp % kRowTiles;
    if (warp >= kRowTiles) {
#pragma unroll
      for (int t = 0; t < kTokenTiles; ++t)
        up_sums.sums[pair][t][lane] = make_float4(total[t][0], total[t][1], total[t][2], total[t][3]);
    }
    __syncthreads();
    if (warp >= kRowTiles) return;
    for_each_sum(tokens.n_tokens, row_tile * kTileRows, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      const float other = reinterpret_cast<const float*>(&up_sums.sums[pair][t][lane])[i];
      const float gate = with_bias(total[t][i], args.out.bias, tokens.expert, matrix.n_out, row);
      const float up = with_bias(other, args.up_bias, tokens.expert, matrix.n_out, row);
      store_value<Store::kHalf>(args.out, place_of(token, row), activate(gate, up, args.activation) * kInnerScale);
    });
  } else {
    for_each_sum(tokens.n_tokens, row_tile * kTileRows, matrix.n_out, lane, [&](int token, int row, int t, int i) {
      const float scaled = total[t][i] * args.out.scale;
      store_value<kStore>(args.out, place_of(token, row),
                          with_bias(scaled, args.out.bias, tokens.expert + head, matrix.n_out, row));
    });
  }
}

}  // namespace

int tokens_of_tile(int n_slots, int n_experts) {
  return n_slots <= kFewTokens / 2 * n_experts ? kFewTokens : kMatmulTokens;
}

template <Kind kKind, Store kStore>
void launch_matmul_few(const Stream& stream, const MatmulArgs& args, int count) {
  const PackedMatrix& matrix = args.matrix[0];
  GLINT_CHECK(args.x.row_stride % 8 == 0 && args.x.head_stride % 8 == 0);
  const int rows_of_block = kWarps * kTileRows / (kKind == Kind::kGlu ? 2 : 1);
  const dim3 grid(static_cast<unsigned>(token_tiles(args, kTokens)),
                  static_cast<unsigned>(blocks_for(matrix.n_out, rows_of_block)), static_cast<unsigned>(count));
  with_format(matrix.format, [&]<PackedFormat kFormat>() {
    // Two blocks a multiprocessor where two stages allow that.
    const int fitting = static_cast<int>(stream.shared_bytes / sizeof(Stage<kFormat>));
    const int n_stages = std::min(fitting, 6 * sizeof(Stage<kFormat>) <= stream.shared_bytes ? kMostStages : 2);
    launch(stream, {grid, dim3(kThreads), static_cast<size_t>(n_stages) * sizeof(Stage<kFormat>)},
           matmul_few_kernel<kFormat, kKind, kStore>, args, n_stages);
  });
}

template void launch_matmul_few<Kind::kStore, Store::kF32>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kStore, Store::kF32Add>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kStore, Store::kHalf>(const Stream&, const MatmulArgs&, int);
template void launch_matmul_few<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulArgs&, int);

}  // namespace glint::cuda
