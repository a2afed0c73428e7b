// SPDX-License-Identifier: Apache-2.0
#include "cuda/matmul.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_product.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kTokens = kMatmulTokens;
constexpr int kTokenTiles = kTokens / 8;
constexpr int kStages = 4;  // quarters of 64 columns under way
constexpr int kStageHalves = kTokens * 64;
constexpr size_t kSharedBytes = kStages * kStageHalves * sizeof(__half);

/// Sixteen-byte chunk `chunk` of token `token` of a stage; chunks are permuted so that eight tokens' lie in eight
/// banks.
__device__ __forceinline__ __half* stage_chunk(__half* stage, int token, int chunk) {
  return stage + token * 64 + ((chunk ^ (token & 7)) * 8);
}

/// Starts the copy of columns [64 quarter, + 64) of the block's tokens. `sources`: this thread's two tokens' rows.
__device__ __forceinline__ void copy_quarter(__half* stage, const __half* const (&sources)[2], const bool (&valid)[2],
                                             int quarter) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int piece = static_cast<int>(threadIdx.x) + i * kThreads;
    cp_async_16(stage_chunk(stage, piece / 8, piece % 8), sources[i] + quarter * 64, valid[i]);
  }
}

/// Adds 64 columns: a warp's two tiles of rows with all tokens.
template <PackedFormat kFormat>
__device__ __forceinline__ void add_quarter(float (&sum)[2][kTokenTiles][4], const Quarter<kFormat> (&quarters)[2],
                                            const TileScales<kFormat> (&scales)[2], __half* stage, int lane) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    uint32_t a[2][4];
    unpack_step(quarters[0], scales[0].factors, step, a[0]);
    unpack_step(quarters[1], scales[1].factors, step, a[1]);
#pragma unroll
    for (int pair = 0; pair < kTokenTiles / 2; ++pair) {
      uint32_t b[4];
      ldmatrix_x4(b, stage_chunk(stage, pair * 16 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
#pragma unroll
      for (int tile = 0; tile < 2; ++tile) {
        mma_f16(sum[tile][2 * pair], a[tile], b[0], b[1]);
        mma_f16(sum[tile][2 * pair + 1], a[tile], b[2], b[3]);
      }
    }
  }
}

template <Kind kKind, Store kStore>
__device__ __forceinline__ void store_sums(const MatmulArgs& args, const TokenRows& rows,
                                           const float (&sum)[2][kTokenTiles][4], const int (&row_tile)[2], int head,
                                           int lane) {
  const int n_out = args.matrix[0].n_out;
#pragma unroll
  for (int token_tile = 0; token_tile < kTokenTiles; ++token_tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = token_tile * 8 + lane % 4 * 2 + i % 2;
      if (token >= rows.n_tokens) continue;
      const int64_t at = rows.out_row(token) * args.out.row_stride + head * args.out.head_stride;
      if constexpr (kKind == Kind::kGlu) {
        const int row = row_tile[0] * kTileRows + lane / 4 + 8 * (i / 2);
        if (row >= n_out) continue;
        store_gated(args, rows.expert, at + row, row, sum[0][token_tile][i], sum[1][token_tile][i]);
      } else {
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
          const int row = row_tile[tile] * kTileRows + lane / 4 + 8 * (i / 2);
          if (row >= n_out) continue;
          store_sum<kStore>(args, rows.expert + head, at + row, row, sum[tile][token_tile][i]);
        }
      }
    }
  }
}

/// Grid: (rows of weights, tiles of tokens, stacked matrices).
template <PackedFormat kFormat, Kind kKind, Store kStore>
__global__ void __launch_bounds__(kThreads, 1) matmul_kernel(MatmulArgs args) {
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  auto* stages = dynamic_shared<__half>();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int head = static_cast<int>(blockIdx.z);
  const PackedMatrix& matrix = args.matrix[0];
  const int n_blocks = matrix.n_blocks;
  const int n_quarters = (matrix.n_in + 63) / 64;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const TokenRows rows = token_rows<kTokens>(args.groups, args.x.n_rows, static_cast<int>(blockIdx.y));
  if (rows.n_tokens <= 0) return;

  // Rows of tiles past the end are computed from the last one and not stored.
  int row_tile[2];
  const uint8_t* tiles[2];
#pragma unroll
  for (int t = 0; t < 2; ++t) {
    row_tile[t] = kKind == Kind::kGlu ? static_cast<int>(blockIdx.x) * kWarps + warp
                                      : (static_cast<int>(blockIdx.x) * kWarps + warp) * 2 + t;
    const int real = min(row_tile[t], matrix.n_row_tiles - 1);
    const uint8_t* base = args.matrix[kKind == Kind::kGlu ? t : 0].tiles;
    tiles[t] = base + (static_cast<int64_t>(rows.expert + head) * matrix.n_row_tiles + real) * n_blocks * kTileBytes;
  }
  const __half* sources[2];
  bool valid[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int piece = static_cast<int>(threadIdx.x) + i * kThreads;
    valid[i] = piece / 8 < rows.n_tokens;
    const int row = rows.x_row(valid[i] ? piece / 8 : 0);
    sources[i] = args.x.data + row * args.x.row_stride + head * args.x.head_stride + piece % 8 * 8;
  }
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < n_quarters) copy_quarter(stages + s * kStageHalves, sources, valid, s);
    cp_async_commit();
  }

  float total[2][kTokenTiles][4] = {};
  Quarter<kFormat> quarters[2];
  TileScales<kFormat> scales[2];
#pragma unroll
  for (int t = 0; t < 2; ++t) {
    quarters[t].template load_bits<FromGlobal>(tiles[t], 0, lane);
    scales[t].load(tiles[t], lane);
  }
  for (int block = 0; block < n_blocks; ++block) {
    float sum[2][kTokenTiles][4] = {};
#pragma unroll
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int q = block * 4 + quarter;
      if (q >= n_quarters) break;
      cp_async_wait<kStages - 2>();
      __syncthreads();
      const int ahead = q + kStages - 1;
      if (ahead < n_quarters) copy_quarter(stages + ahead % kStages * kStageHalves, sources, valid, ahead);
      cp_async_commit();
      Quarter<kFormat> next[2];
      if (q + 1 < n_quarters) {
#pragma unroll
        for (int t = 0; t < 2; ++t) {
          next[t].template load_bits<FromGlobal>(
              tiles[t] + static_cast<int64_t>(quarter == 3 ? block + 1 : block) * kTileBytes, (quarter + 1) % 4, lane);
        }
      }
#pragma unroll
      for (int t = 0; t < 2; ++t) scales[t].give(quarters[t], quarter);
      add_quarter<kFormat>(sum, quarters, scales, stages + q % kStages * kStageHalves, lane);
#pragma unroll
      for (int t = 0; t < 2; ++t) quarters[t] = next[t];
    }
#pragma unroll
    for (int t = 0; t < 2; ++t) {
#pragma unroll
      for (int n = 0; n < kTokenTiles; ++n) {
        scales[t].factors.scale(sum[t][n]);
#pragma unroll
        for (int i = 0; i < 4; ++i) total[t][n][i] = __fadd_rn(total[t][n][i], sum[t][n][i]);
      }
      if (block + 1 < n_blocks) scales[t].load(tiles[t] + static_cast<int64_t>(block + 1) * kTileBytes, lane);
    }
  }
  store_sums<kKind, kStore>(args, rows, total, row_tile, head, lane);
}

template <Kind kKind, Store kStore>
void launch_many(const Stream& stream, const MatmulArgs& args, int count) {
  const PackedMatrix& matrix = args.matrix[0];
  GLINT_CHECK(args.x.row_stride % 8 == 0 && args.x.head_stride % 8 == 0);
  const int n_token_tiles = token_tiles(args, kTokens);
  const int rows_of_block = kWarps * kTileRows * (kKind == Kind::kGlu ? 1 : 2);
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(matrix.n_out, rows_of_block)),
                               static_cast<unsigned>(n_token_tiles), static_cast<unsigned>(count)),
                          dim3(kThreads), kSharedBytes};
  with_format(matrix.format,
              [&]<PackedFormat kFormat>() { launch(stream, shape, matmul_kernel<kFormat, kKind, kStore>, args); });
}

bool are_few(const MatmulArgs& args) {
  return args.groups.n_experts == 0 ? args.x.n_rows <= kFewRows : args.groups.tile_tokens == kFewTokens;
}

/// Whether dense products would leave multiprocessors idle if no warps shared columns.
bool are_short(const Stream& stream, const MatmulPair& args, int count) {
  if (args.of[0].groups.n_experts > 0) return false;
  int n_blocks = 0;
  for (const MatmulArgs& of : args.of) {
    if (of.x.n_rows > 0)
      n_blocks += token_tiles(of, kFewTokens) * blocks_for(of.matrix[0].n_out, kFewRowsOfBlock) * count;
  }
  return n_blocks < 2 * stream.n_multiprocessors;
}

/// Whether each multiprocessor gets rows of weights enough for warps of its own, and all tokens lie in its memory: then
/// a dense product goes as an expert that all rows take, and streams its weights as fast.
bool can_stream(const Stream& stream, const MatmulPair& args, int count, int tile_tokens) {
  constexpr int kLeastPairs = 3;  // of rows of tiles
  const MatmulArgs& of = args.of[0];
  return of.groups.n_experts == 0 && args.of[1].x.n_rows == 0 && count == 1 && of.x.n_rows <= tile_tokens &&
         of.matrix[0].n_row_tiles >= 2 * kLeastPairs * stream.n_multiprocessors &&
         matmul_experts_fit(stream, of.matrix[0], 0, 0, tile_tokens);
}

template <Kind kKind, Store kStore>
void launch_few(const Stream& stream, const MatmulPair& args, int count) {
  if constexpr (kStore == Store::kF32 || kKind == Kind::kGlu) {
    for (const int tile_tokens : {kExpertTokens, kMostExpertTokens}) {
      if (!can_stream(stream, args, count, tile_tokens)) continue;
      const MatmulArgs none{.matrix = {args.of[0].matrix[0], args.of[0].matrix[1]},
                            .x = {},
                            .groups = {.tile_tokens = tile_tokens},
                            .out = {},
                            .up_bias = nullptr,
                            .activation = {}};
      return launch_matmul_experts<kKind, kStore>(stream, {{none, args.of[0]}});
    }
  }
  if (are_short(stream, args, count)) return launch_matmul_short<kKind, kStore>(stream, args, count);
  launch_matmul_few<kKind, kStore>(stream, args, count);
}

template <Kind kKind, Store kStore>
void launch_matmul(const Stream& stream, const MatmulArgs& args, int count = 1) {
  if (are_few(args)) return launch_few<kKind, kStore>(stream, {{args, {}}}, count);
  launch_many<kKind, kStore>(stream, args, count);
}

/// The experts' product and the shared expert's, if that has rows.
template <Kind kKind, Store kStore>
void launch_experts(const Stream& stream, const MatmulArgs& experts, const MatmulArgs& shared) {
  const bool has_shared = shared.x.n_rows > 0;
  const bool streams = experts.groups.tile_tokens <= kMostExpertTokens;
  const bool together = has_shared && same_shape(shared.matrix[0], experts.matrix[0]) &&
                        (streams || (are_few(experts) && are_few(shared)));
  const MatmulPair pair{{experts, together ? shared : MatmulArgs{}}};
  if (has_shared && !together) launch_matmul<kKind, kStore>(stream, shared);
  if (streams) {
    launch_matmul_experts<kKind, kStore>(stream, pair);
  } else if (are_few(experts)) {
    launch_few<kKind, kStore>(stream, pair, 1);
  } else {
    launch_many<kKind, kStore>(stream, experts, 1);
  }
}

MatmulArgs store_args(const MatmulOutput& out, const HalfRows& x, const PackedMatrix& matrix,
                      const ExpertGroups& groups = {}) {
  return {.matrix = {matrix, {}}, .x = x, .groups = groups, .out = out, .up_bias = nullptr, .activation = {}};
}

}  // namespace

int tokens_of_tile(const Stream& stream, int n_slots, int n_experts, std::initializer_list<PackedMatrix> matrices) {
  for (const int tokens : {kExpertTokens, kMostExpertTokens}) {
    const bool fit = std::ranges::all_of(matrices, [&](const PackedMatrix& matrix) {
      return matmul_experts_fit(stream, matrix, n_slots, n_experts, tokens);
    });
    if (fit && n_slots <= tokens * 3 / 4 * n_experts) return tokens;
  }
  return n_slots <= kFewTokens / 2 * n_experts ? kFewTokens : kMatmulTokens;
}

void matmul(const Stream& stream, Store store, const MatmulOutput& out, const HalfRows& x, const PackedMatrix& matrix,
            int count) {
  const MatmulArgs args = store_args(out, x, matrix);
  switch (store) {
    case Store::kF32:
      return launch_matmul<Kind::kStore, Store::kF32>(stream, args, count);
    case Store::kF32Add:
      return launch_matmul<Kind::kStore, Store::kF32Add>(stream, args, count);
    case Store::kHalf:
      return launch_matmul<Kind::kStore, Store::kHalf>(stream, args, count);
  }
}

void matmul_both(const Stream& stream, const MatmulOutput (&out)[2], const HalfRows& x,
                 const PackedMatrix (&matrices)[2]) {
  const MatmulPair pair{{store_args(out[0], x, matrices[0]), store_args(out[1], x, matrices[1])}};
  if (are_few(pair.of[0]) && matrices[0].format == matrices[1].format) {
    return launch_few<Kind::kStore, Store::kF32>(stream, pair, 1);
  }
  for (const MatmulArgs& of : pair.of) launch_matmul<Kind::kStore, Store::kF32>(stream, of);
}

void matmul_grouped(const Stream& stream, const MatmulOutput& out, const HalfRows& x, const PackedMatrix& matrix,
                    const ExpertGroups& groups, const SharedExpert& shared) {
  launch_experts<Kind::kStore, Store::kF32>(stream, store_args(out, x, matrix, groups),
                                            store_args(shared.out, shared.x, shared.matrix[0]));
}

void matmul_glu(const Stream& stream, __half* out, int64_t row_stride, const HalfRows& x, const GatedPair& pair,
                const ExpertGroups& groups, const SharedExpert& shared) {
  GLINT_CHECK(same_shape(pair.gate, pair.up) && same_shape(shared.matrix[0], shared.matrix[1]));
  const MatmulArgs experts{.matrix = {pair.gate, pair.up},
                           .x = x,
                           .groups = groups,
                           .out = {.out = out, .row_stride = row_stride, .bias = pair.gate_bias},
                           .up_bias = pair.up_bias,
                           .activation = pair.activation};
  const MatmulArgs of_shared{.matrix = {shared.matrix[0], shared.matrix[1]},
                             .x = shared.x,
                             .groups = {},
                             .out = shared.out,
                             .up_bias = nullptr,
                             .activation = pair.activation};
  launch_experts<Kind::kGlu, Store::kHalf>(stream, experts, of_shared);
}

}  // namespace glint::cuda
