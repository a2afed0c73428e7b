// SPDX-License-Identifier: Apache-2.0
#include "cuda/matvec_experts.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/activation.cuh"
#include "cuda/device/route.cuh"
#include "cuda/device/rows_input.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kMostGluWarps = 16;
constexpr int kMostRoutedWarps = 24;
constexpr int kMostDownWarps = 32;
constexpr int kRoutedTiles = 3;  // rows of tiles of a block there: GLM-4.7-Flash's 384 make one block a multiprocessor

template <PackedFormat kFormat>
inline constexpr bool kAlignedInput = kFormat != PackedFormat::kHalf;

/// Tiles of a warp under way in products of chosen experts; tiles of halves are large.
constexpr int routed_places(PackedFormat format) {
  return format == PackedFormat::kHalf ? 1 : 2;
}

/// Where a block's pairs of rows of tiles lie. Units: for each row of tiles the gate's tiles, then the up projection's.
struct GluTiles {
  const uint8_t* gate;
  const uint8_t* up;
  int n_blocks;
  int tile_bytes;
  __device__ __forceinline__ GluTiles(const PackedMatrix& gate_, const PackedMatrix& up_, int expert, int first_tile,
                                      int bytes)
      : n_blocks(gate_.n_blocks), tile_bytes(bytes) {
    const int64_t at = (static_cast<int64_t>(expert) * gate_.n_row_tiles + first_tile) * gate_.n_blocks * bytes;
    gate = gate_.tiles + at;
    up = up_.tiles + at;
  }
  __device__ __forceinline__ const uint8_t* operator()(int unit) const {
    const int row = unit / n_blocks;
    return (row % 2 == 0 ? gate : up) + (row / 2 * n_blocks + unit - row * n_blocks) * tile_bytes;
  }
};

/// One gated value from the partial sums of a block.
__device__ __forceinline__ float gated(const GluOutput& out, const float* partial, int n_blocks, int n_tokens, int tile,
                                       int token, int row, int64_t bias_at) {
  float g = sum_blocks(partial, 2 * tile * n_blocks, n_blocks, n_tokens, token, row);
  float u = sum_blocks(partial, (2 * tile + 1) * n_blocks, n_blocks, n_tokens, token, row);
  if (out.gate_bias != nullptr) g += out.gate_bias[bias_at];
  if (out.up_bias != nullptr) u += out.up_bias[bias_at];
  return activate(g, u, out.activation) * kInnerScale;
}

/// A block of the router: a warp's expert for one token. Shared memory: the token's normed row.
__device__ __forceinline__ void router_block(Tensor logits, const RouterInput& in, int part, int token) {
  __shared__ float scratch[kLeastWarps];
  auto* normed = dynamic_shared<float>();
  const int warp = warp_id();
  const int width = in.x.width;
  const int expert = part * n_warps() + warp;
  const HeldRow row(in.router + static_cast<int64_t>(min(expert, logits.width - 1)) * width, width);
  wait_for_previous_kernel();
  const BlockRow<true> x[1] = {BlockRow<true>(in.x.data + token * in.x.row_stride, width)};
  norm_rows(normed, x, BlockRow<true>(in.norm, width), width, in.eps, scratch);
  float dot[1];
  row.dots(dot, normed);
  if (lane_id() == 0 && expert < logits.width)
    logits.data[token * logits.row_stride + expert] = in.bias != nullptr ? dot[0] + in.bias[expert] : dot[0];
}

/// Grid: rows of tiles, then with kRouter n_parts blocks for each token.
template <PackedFormat kFormat, bool kRouter>
__global__ void __launch_bounds__(kMostGluWarps * 32)
    glu_kernel(GluOutput out, MatvecInput in, PackedMatrix gate, PackedMatrix up, Tensor logits, RouterInput router,
               int n_parts) {
  const int row_tile = static_cast<int>(blockIdx.x);
  if constexpr (kRouter) {
    const int index = row_tile - gate.n_row_tiles;
    if (index >= 0) return router_block(logits, router, index % n_parts, index / n_parts);
  }
  __shared__ float scratch[kLeastWarps];
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  const int warp = warp_id();
  const int n_blocks = gate.n_blocks;
  const int n_padded = n_blocks * kTileColumns;
  const int n_tokens = in.n_tokens;
  auto* ring = dynamic_shared<uint8_t>();
  uint8_t* place = ring + warp * kTileBytes;
  auto* columns = reinterpret_cast<__half*>(ring + n_warps() * kTileBytes);
  auto* partial = reinterpret_cast<float*>(columns + n_tokens * (n_padded + kColumnPad));
  const GluTiles tile_of(gate, up, 0, row_tile, kTileBytes);
  WarpTiles<kFormat>::start(place, warp, n_warps(), 2 * n_blocks, tile_of);
  const RowsInput<kAlignedInput<kFormat>> input(in, gate.n_in);
  wait_for_previous_kernel();
  input.store(columns, 0, gate.n_in, n_padded, scratch);
  __syncthreads();
  let_next_kernel_start();
  const __half* column = columns + lane_token(n_tokens) * (n_padded + kColumnPad);
  WarpTiles<kFormat>::multiply(place, warp, n_warps(), 2 * n_blocks, n_tokens, partial, tile_of,
                               [&](int unit) { return column + unit % n_blocks * kTileColumns; });
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x) % kTileRows;
  const int out_row = row_tile * kTileRows + row;
  const int token = static_cast<int>(threadIdx.x) / kTileRows;  // a block has threads for kMatvecTokens of them
  if (token < n_tokens && out_row < gate.n_out) {
    out.out[token * out.row_stride + out_row] = gated(out, partial, n_blocks, n_tokens, 0, token, row, out_row);
  }
}

/// Grid: (rows of tiles / kRoutedTiles, slots).
template <PackedFormat kFormat>
__global__ void __launch_bounds__(kMostRoutedWarps * 32)
    experts_glu_kernel(GluOutput out, MatvecInput in, PackedMatrix gate, PackedMatrix up, Routing routing,
                       Tensor logits, RouteParams params) {
  __shared__ float scratch[kLeastWarps];
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  using Tiles = WarpTiles<kFormat, routed_places(kFormat)>;
  const int warp = warp_id();
  const int n_blocks = gate.n_blocks;
  const int n_padded = n_blocks * kTileColumns;
  const int first_tile = static_cast<int>(blockIdx.x) * kRoutedTiles;
  const int n_tiles = min(kRoutedTiles, gate.n_row_tiles - first_tile);
  const int n_units = 2 * n_blocks * n_tiles;
  const int slot = static_cast<int>(blockIdx.y);
  const int token = slot / params.top_k;
  auto* ring = dynamic_shared<uint8_t>();
  uint8_t* place = ring + warp * routed_places(kFormat) * kTileBytes;
  auto* columns = reinterpret_cast<__half*>(ring + n_warps() * routed_places(kFormat) * kTileBytes);
  auto* partial = reinterpret_cast<float*>(columns + n_padded + kColumnPad);
  const ChoiceMemory choice(partial + n_units * kTileRows, logits.width, params.top_k);

  const RowsInput<kAlignedInput<kFormat>> input(in, gate.n_in);
  wait_for_previous_kernel();
  // On its way before the weights are: what is asked for first comes first.
  const BlockRow<kAlignedInput<kFormat>> row(in.x + token * in.row_stride, gate.n_in);
  choose_experts(choice, logits.data + token * logits.row_stride, logits.width, params);
  const int expert = choice.expert[slot - token * params.top_k];
  const GluTiles tile_of(gate, up, expert, first_tile, kTileBytes);
  Tiles::start(place, warp, n_warps(), n_units, tile_of);
  input.store_one(columns, row, gate.n_in, n_padded, scratch);
  __syncthreads();
  let_next_kernel_start();
  Tiles::multiply(place, warp, n_warps(), n_units, 1, partial, tile_of,
                  [&](int unit) { return columns + unit % n_blocks * kTileColumns; });
  __syncthreads();
  const int i = static_cast<int>(threadIdx.x);  // a block has threads for all of its rows
  const int out_row = first_tile * kTileRows + i;
  if (i < n_tiles * kTileRows && out_row < gate.n_out) {
    out.out[slot * out.row_stride + out_row] = gated(out, partial, n_blocks, 1, i / kTileRows, 0, i % kTileRows,
                                                     static_cast<int64_t>(expert) * gate.n_out + out_row);
  }
  if (blockIdx.x == 0 && slot == token * params.top_k && threadIdx.x == 0)
    write_choice(choice, params, routing.expert + slot, routing.weight + slot);
}

/// Grid: (rows of tiles, tokens). Units: the shared expert's tiles first, then those of each slot's expert.
template <PackedFormat kFormat, PackedFormat kSharedFormat>
__global__ void __launch_bounds__(kMostDownWarps * 32)
    down_kernel(Tensor x, DownInput in, PackedMatrix down, const float* bias, PackedMatrix down_shared,
                Routing routing) {
  const int row_tile = static_cast<int>(blockIdx.x);
  const int token = static_cast<int>(blockIdx.y);
  const int warp = warp_id();
  const int top_k = routing.top_k;
  const int n_shared = in.shared != nullptr ? down_shared.n_blocks : 0;
  const int n_routed = top_k * down.n_blocks;
  // The first warps take the shared expert's tiles, the others the routed ones'.
  const int n_shared_warps = min(n_shared, n_warps() / 4);
  const int n_routed_warps = n_warps() - n_shared_warps;
  const bool takes_shared = warp < n_shared_warps;
  const int routed_warp = warp - n_shared_warps;
  constexpr int kTileBytes = tile_layout(kFormat).bytes();
  constexpr int kSharedBytes = tile_layout(kSharedFormat).bytes();
  auto* shared_ring = dynamic_shared<uint8_t>();
  auto* ring = shared_ring + n_shared_warps * kSharedBytes;
  uint8_t* place = takes_shared ? shared_ring + warp * kSharedBytes : ring + routed_warp * kTileBytes;
  auto* columns = reinterpret_cast<__half*>(ring + n_routed_warps * kTileBytes);
  auto* partial = reinterpret_cast<float*>(columns + (n_shared + n_routed) * kTileColumns + kColumnPad);
  float* kept_weights = partial + (n_shared + n_routed) * kTileRows;

  // The shared expert's tiles are known before the routing is: their copies start first.
  const auto shared_tile = [&](int unit) {
    return down_shared.tiles + (static_cast<int64_t>(row_tile) * down_shared.n_blocks + unit) * kSharedBytes;
  };
  if (takes_shared) WarpTiles<kSharedFormat>::start(place, warp, n_shared_warps, n_shared, shared_tile);
  wait_for_previous_kernel();
  const int32_t* experts = routing.expert + token * top_k;
  const float* weights = routing.weight + token * top_k;
  // What is asked for first comes first: the inputs and what the sums will need, then the weights.
  const int first_expert = takes_shared ? 0 : experts[min(routed_warp / down.n_blocks, top_k - 1)];
  const int n_padded = down.n_blocks * kTileColumns;
  const HeldRows<1> shared_row(in.shared + token * in.shared_stride, in.shared_stride, n_shared > 0 ? 1 : 0,
                               down_shared.n_in, down_shared.n_blocks * kTileColumns);
  const HeldRows<2> inner_rows(in.inner + static_cast<int64_t>(token) * top_k * in.inner_stride, in.inner_stride, top_k,
                               down.n_in, n_padded);
  const int out_row = row_tile * kTileRows + static_cast<int>(threadIdx.x);
  const bool sums = threadIdx.x < kTileRows && out_row < down.n_out;
  const float before = sums ? x.data[token * x.row_stride + out_row] : 0.0f;
  const float my_weight = static_cast<int>(threadIdx.x) < top_k ? weights[threadIdx.x] : 0.0f;
  const auto routed_tile = [&](int unit) {
    const int slot = unit / down.n_blocks;
    const int expert = unit == routed_warp ? first_expert : experts[slot];
    const int64_t row = static_cast<int64_t>(expert) * down.n_row_tiles + row_tile;
    return down.tiles + (row * down.n_blocks + unit - slot * down.n_blocks) * kTileBytes;
  };
  if (!takes_shared) WarpTiles<kFormat>::start(place, routed_warp, n_routed_warps, n_routed, routed_tile);
  shared_row.store(columns, n_shared * kTileColumns);
  inner_rows.store(columns + n_shared * kTileColumns, n_padded);
  if (static_cast<int>(threadIdx.x) < top_k) kept_weights[threadIdx.x] = my_weight;
  __syncthreads();
  let_next_kernel_start();
  const auto column_at = [&](int unit) { return columns + unit * kTileColumns; };
  if (takes_shared) {
    WarpTiles<kSharedFormat>::multiply(place, warp, n_shared_warps, n_shared, 1, partial, shared_tile, column_at);
  } else {
    WarpTiles<kFormat>::multiply(place, routed_warp, n_routed_warps, n_routed, 1, partial + n_shared * kTileRows,
                                 routed_tile, [&](int unit) { return column_at(n_shared + unit); });
  }
  __syncthreads();
  if (!sums) return;
  const int row = static_cast<int>(threadIdx.x);
  float sum = n_shared > 0 ? sum_blocks(partial, 0, n_shared, 1, 0, row) / kInnerScale : 0.0f;
#pragma unroll 1
  for (int s = 0; s < top_k; ++s) {
    float expert_out = sum_blocks(partial, n_shared + s * down.n_blocks, down.n_blocks, 1, 0, row) / kInnerScale;
    if (bias != nullptr) expert_out += bias[experts[s] * down.n_out + out_row];
    sum = __fmaf_rn(kept_weights[s], expert_out, sum);
  }
  x.data[token * x.row_stride + out_row] = before + sum;
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
          columns_bytes(1, n_units) + partial_bytes(n_units, 1) + static_cast<size_t>(top_k) * sizeof(float)};
}

/// Tokens of one dense launch of a gated pair.
int glu_tokens(const Stream& stream, const PackedMatrix& gate, int n_tokens) {
  return fitting_tokens(stream, n_tokens, gate.n_blocks, 2 * gate.n_blocks, tile_layout(gate.format).bytes());
}

LaunchShape glu_shape(const Stream& stream, const PackedMatrix& gate, int n_tokens) {
  return block_for(stream, dim3(static_cast<unsigned>(gate.n_row_tiles)), 2 * gate.n_blocks, kMostGluWarps,
                   tile_layout(gate.format).bytes(),
                   columns_bytes(n_tokens, gate.n_blocks) + partial_bytes(2 * gate.n_blocks, n_tokens));
}

LaunchShape experts_glu_shape(const Stream& stream, const PackedMatrix& gate, int n_slots, int n_experts, int top_k) {
  const int n_units = 2 * gate.n_blocks * kRoutedTiles;
  const int n_places = routed_places(gate.format);
  const dim3 grid(static_cast<unsigned>(blocks_for(gate.n_row_tiles, kRoutedTiles)), static_cast<unsigned>(n_slots));
  return block_for(stream, grid, blocks_for(n_units, n_places), kMostRoutedWarps,
                   n_places * tile_layout(gate.format).bytes(),
                   columns_bytes(1, gate.n_blocks) + partial_bytes(n_units, 1) + ChoiceMemory::bytes(n_experts, top_k));
}

}  // namespace

void matvec_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                const PackedMatrix& up) {
  GLINT_CHECK(gate.format == up.format && in.n_tokens <= kMatvecTokens);
  const int most = glu_tokens(stream, gate, in.n_tokens);
  GluOutput part = out;
  for (int first = 0; first < in.n_tokens; first += most) {
    const MatvecInput tokens = in.tokens(first, std::min(most, in.n_tokens - first));
    with_format(gate.format, [&]<PackedFormat kFormat>() {
      launch(stream, glu_shape(stream, gate, tokens.n_tokens), glu_kernel<kFormat, false>, part, tokens, gate, up,
             Tensor{}, RouterInput{}, 0);
    });
    part.out += most * out.row_stride;
  }
}

void matvec_glu_and_router(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                           const PackedMatrix& up, Tensor logits, const RouterInput& router) {
  GLINT_CHECK(gate.format == up.format && in.n_tokens <= kMatvecTokens);
  const size_t row_bytes = static_cast<size_t>(router.x.width) * sizeof(float);
  if (router.x.width % 128 != 0 || router.x.row_stride % 4 != 0 || row_bytes > stream.shared_bytes ||
      glu_tokens(stream, gate, in.n_tokens) < in.n_tokens) {
    router_logits(stream, logits, router);
    return matvec_glu(stream, out, in, gate, up);
  }
  LaunchShape shape = glu_shape(stream, gate, in.n_tokens);
  const int n_parts = blocks_for(logits.width, static_cast<int>(shape.block.x) / 32);
  shape.grid.x += static_cast<unsigned>(n_parts * in.n_tokens);
  shape.shared_bytes = std::max(shape.shared_bytes, row_bytes);
  with_format(gate.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, glu_kernel<kFormat, true>, out, in, gate, up, logits, router, n_parts);
  });
}

void matvec_experts_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                        const PackedMatrix& up, const Routing& routing, Tensor logits, const RouteParams& params) {
  GLINT_CHECK(gate.format == up.format && logits.width <= kMostExperts && params.n_groups <= 32);
  const LaunchShape shape = experts_glu_shape(stream, gate, in.n_tokens * params.top_k, logits.width, params.top_k);
  with_format(gate.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, experts_glu_kernel<kFormat>, out, in, gate, up, routing, logits, params);
  });
}

bool matvec_experts_fit(const Stream& stream, const PackedMatrix& gate, const PackedMatrix& down,
                        const PackedMatrix* shared, int n_experts, int top_k) {
  const DownSizes sizes = down_sizes(down, shared, top_k);
  const auto least = [](int tile_bytes) { return static_cast<size_t>(kLeastWarps) * static_cast<size_t>(tile_bytes); };
  return least(sizes.tile_bytes) + sizes.other_bytes <= stream.shared_bytes &&
         experts_glu_shape(stream, gate, 1, n_experts, top_k).shared_bytes <= stream.shared_bytes;
}

void matvec_down(const Stream& stream, Tensor x, const DownInput& in, const PackedMatrix& down, const float* bias,
                 const PackedMatrix& down_shared, const Routing& routing) {
  const PackedMatrix* shared = in.shared != nullptr ? &down_shared : nullptr;
  const PackedFormat shared_format = shared != nullptr ? shared->format : down.format;
  const DownSizes sizes = down_sizes(down, shared, routing.top_k);
  const dim3 grid(static_cast<unsigned>(down.n_row_tiles), static_cast<unsigned>(x.n_rows));
  const LaunchShape shape = block_for(stream, grid, sizes.n_units, kMostDownWarps, sizes.tile_bytes, sizes.other_bytes);
  with_format(down.format, [&]<PackedFormat kFormat>() {
    if (shared_format == kFormat) {
      launch(stream, shape, down_kernel<kFormat, kFormat>, x, in, down, bias, down_shared, routing);
    } else {
      with_format(shared_format, [&]<PackedFormat kSharedFormat>() {
        launch(stream, shape, down_kernel<kFormat, kSharedFormat>, x, in, down, bias, down_shared, routing);
      });
    }
  });
}

}  // namespace glint::cuda
