// SPDX-License-Identifier: Apache-2.0
//
// Products of packed weights with many tokens, dense or grouped by expert. Four kernels, on every card from sm_80;
// sums are in the order of device/tile_product.cuh: bits equal matvec's.
//
// Prompts (matmul.cu): a block of 8 warps takes 256 rows of weights (of a gated pair: 128 of each) and 64 tokens; a
// warp unpacks its own 32 rows straight into tensor-core operands, so each weight is unpacked once a block, and takes
// the tokens from a ring in shared memory (32 KB). FLOPs: 2 * n_out * n_in a token; bytes: the weights once for each 64
// tokens (from L2 after the first), f16 activations once for each 256 rows.
//
// Steps of several sequences (matmul_few.cu): 32 tokens a block and 128 rows of weights (of a gated pair: half of
// each), which stream through shared memory with the tokens; many blocks keep the memory busy. Bytes: the weights once
// for each such tile of tokens, f16 activations once for each 128 rows.
//
// The same with matrices so short that there would be too few blocks (matmul_short.cu): a block has 16 or 32 tokens and
// a few pairs of rows of tiles; the warps of a pair take turns along the columns, each with weights and tokens of its
// own on their way, and add up their tiles in ascending order. Bytes: f16 activations once for each 32 rows.
//
// Experts with few tokens each (matmul_experts.cu): one block a multiprocessor takes an equal share of all chosen
// experts' rows, eight or sixteen tokens of an expert lie whole in shared memory, and each warp streams weights of its
// own past them. The expert that all rows take may join them. Bytes: the weights once for each so many tokens.
//
// Tested by tests/unit/cuda/op_cases_test.cpp and experts_test.cpp.
#pragma once

#include <cuda_fp16.h>

#include <initializer_list>

#include "cuda/device_memory.h"
#include "cuda/packed_weight.h"

namespace glint::cuda {

/// Tokens of a block: of a prompt, of a step with few tokens, of an expert with few, and with very few.
inline constexpr int kMatmulTokens = 64;
inline constexpr int kFewTokens = 32;
inline constexpr int kMostExpertTokens = 16;
inline constexpr int kExpertTokens = 8;
/// Rows of a dense product up to which it is one with few tokens.
inline constexpr int kFewRows = 256;

/// f16 rows in memory; each row is zero from n_in up to a multiple of 64 columns and starts at a multiple of 16 bytes.
struct HalfRows {
  const __half* data = nullptr;
  int64_t row_stride = 0;   // in halves
  int64_t head_stride = 0;  // for stacked matrices
  int n_rows = 0;
};

/// The slots (token * top_k + s) of a step sorted by expert, stably, and cut into tiles of slots of one expert; made by
/// group_by_expert (route.h).
struct ExpertGroups {
  const int32_t* slots = nullptr;   // [n_slots]
  const int4* tiles = nullptr;      // [n_tiles] expert, first place in `slots`, number of slots (0: no such tile), 0
  const int32_t* n_used = nullptr;  // [1] how many tiles there are; they come first
  int n_tiles = 0;                  // the most there can be
  int tile_tokens = kMatmulTokens;  // or one of the others: which kernel takes them
  int n_experts = 0;
  int slots_per_row = 1;  // row of x that slot reads is slot / slots_per_row
};

/// Most tiles that so many slots can make.
constexpr int most_tiles(int64_t n_slots, int n_experts, int tile_tokens) {
  return static_cast<int>(n_slots / tile_tokens + (n_slots < n_experts ? n_slots : n_experts));
}
/// The tile_tokens for so many slots of experts with these matrices.
int tokens_of_tile(const Stream& stream, int n_slots, int n_experts, std::initializer_list<PackedMatrix> matrices);

/// What becomes of a sum: out[row, i] = sum * scale + bias[expert, i], in one of these ways; scale is
/// a power of two.
enum class Store { kF32, kF32Add, kHalf };
struct MatmulOutput {
  void* out = nullptr;  // row r (of a group: slot) at out + r * row_stride + h * head_stride values
  int64_t row_stride = 0;
  int64_t head_stride = 0;
  const float* bias = nullptr;
  float scale = 1;
};

/// One matrix, or `count` stacked ones: head h of x with matrix h.
void matmul(const Stream& stream, Store store, const MatmulOutput& out, const HalfRows& x, const PackedMatrix& matrix,
            int count = 1);
/// Two matrices with the same rows, in one launch where their formats agree.
void matmul_both(const Stream& stream, const MatmulOutput (&out)[2], const HalfRows& x,
                 const PackedMatrix (&matrices)[2]);

/// An expert that every row of `x` takes: a matrix, or gate and up.
struct SharedExpert {
  PackedMatrix matrix[2];
  HalfRows x;  // no rows: there is none
  MatmulOutput out;
};

/// Each slot with its expert's matrix; and the shared expert, in the same launch where its format and shape let it.
void matmul_grouped(const Stream& stream, const MatmulOutput& out, const HalfRows& x, const PackedMatrix& matrix,
                    const ExpertGroups& groups, const SharedExpert& shared = {});

/// out (f16) = act(gate x) * up x * kInnerScale, of each slot with its expert's matrices, and of the shared expert.
/// Shapes and formats of gate and up agree.
struct GatedPair {
  PackedMatrix gate;
  PackedMatrix up;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  Activation activation = Activation::kSilu;
};
void matmul_glu(const Stream& stream, __half* out, int64_t row_stride, const HalfRows& x, const GatedPair& pair,
                const ExpertGroups& groups, const SharedExpert& shared = {});

}  // namespace glint::cuda
