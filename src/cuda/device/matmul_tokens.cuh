// SPDX-License-Identifier: Apache-2.0
//
// What the products with many tokens (matmul*.cu) share: their arguments, which rows a
// tile of tokens stands for, and how a sum is stored.
#pragma once

#include "cuda/device/activation.cuh"
#include "cuda/device/input.cuh"
#include "cuda/matmul.h"

namespace glint::cuda {

enum class Kind { kStore, kGlu };

struct MatmulArgs {
  PackedMatrix matrix[2];  // of a gated pair: gate and up
  HalfRows x;
  ExpertGroups groups;  // n_experts = 0: dense
  MatmulOutput out;
  const float* up_bias;
  Activation activation;
};

/// Which rows of x and out this block's tokens are.
struct TokenRows {
  int expert = 0;
  int n_tokens = 0;
  const int32_t* slots = nullptr;  // null: first + i
  int first = 0;
  int slots_per_row = 1;
  __device__ __forceinline__ int out_row(int i) const { return slots != nullptr ? slots[i] : first + i; }
  __device__ __forceinline__ int x_row(int i) const { return out_row(i) / slots_per_row; }
};

/// Tokens of tile `tile` of kTokens, of so many rows without groups; n_tokens <= 0 where there is no such tile.
template <int kTokens>
__device__ __forceinline__ TokenRows token_rows(const ExpertGroups& groups, int n_rows, int tile) {
  TokenRows rows;
  if (groups.n_experts == 0) {
    rows.first = tile * kTokens;
    rows.n_tokens = min(kTokens, n_rows - rows.first);
    return rows;
  }
  const int4 found = groups.tiles[tile];
  rows.expert = found.x;
  rows.slots = groups.slots + found.y;
  rows.n_tokens = found.z;
  rows.slots_per_row = groups.slots_per_row;
  return rows;
}

__device__ __forceinline__ float with_bias(float sum, const float* bias, int expert, int n_out, int row) {
  return bias == nullptr ? sum : sum + bias[static_cast<int64_t>(expert) * n_out + row];
}

/// Writes one value of row `out_row` (token) and weight row `i`.
template <Store kStore>
__device__ __forceinline__ void store_value(const MatmulOutput& out, int64_t at, float value) {
  if constexpr (kStore == Store::kHalf) {
    static_cast<__half*>(out.out)[at] = __float2half_rn(to_f16_range(value));
  } else if constexpr (kStore == Store::kF32Add) {
    static_cast<float*>(out.out)[at] += value;
  } else {
    static_cast<float*>(out.out)[at] = value;
  }
}

/// Stores what becomes of a sum at `at`, of weight row `row`; of a gated pair's two sums.
template <Store kStore>
__device__ __forceinline__ void store_sum(const MatmulArgs& args, int matrix, int64_t at, int row, float sum) {
  store_value<kStore>(args.out, at, with_bias(sum * args.out.scale, args.out.bias, matrix, args.matrix[0].n_out, row));
}
__device__ __forceinline__ void store_gated(const MatmulArgs& args, int matrix, int64_t at, int row, float gate_sum,
                                            float up_sum) {
  const float gate = with_bias(gate_sum, args.out.bias, matrix, args.matrix[0].n_out, row);
  const float up = with_bias(up_sum, args.up_bias, matrix, args.matrix[0].n_out, row);
  store_value<Store::kHalf>(args.out, at, activate(gate, up, args.activation) * kInnerScale);
}

/// Tiles of tokens of a launch: with groups, the most there can be.
inline int token_tiles(const MatmulArgs& args, int tokens) {
  if (args.groups.n_experts == 0) return (args.x.n_rows + tokens - 1) / tokens;
  return args.groups.n_tiles;
}

/// Two products of one launch: of matrices of one format; the second without rows: there is none.
struct MatmulPair {
  MatmulArgs of[2];
};

/// Rows of weights of a block of the product for few tokens; of a gated pair half as many of each.
inline constexpr int kFewRowsOfBlock = 128;
/// The product for few tokens (matmul_few.cu). `count` stacked matrices, or a second product.
template <Kind kKind, Store kStore>
void launch_matmul_few(const Stream& stream, const MatmulPair& args, int count);
/// That of matrices with so few rows that warps had better share columns (matmul_short.cu). Dense; a second product has
/// the same tokens.
template <Kind kKind, Store kStore>
void launch_matmul_short(const Stream& stream, const MatmulPair& args, int count);
/// Whether so many slots can go to experts of this shape in tiles of `tile_tokens` by launch_matmul_experts.
bool matmul_experts_fit(const Stream& stream, const PackedMatrix& matrix, int n_slots, int n_experts, int tile_tokens);
/// That of experts with few tokens each (matmul_experts.cu), if any, and of one of the same shape that all rows take.
template <Kind kKind, Store kStore>
void launch_matmul_experts(const Stream& stream, const MatmulPair& args);

}  // namespace glint::cuda
