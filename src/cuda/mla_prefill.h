// SPDX-License-Identifier: Apache-2.0
//
// Causal attention of one sequence's rows over keys and values expanded from MLA's latent (arXiv 2405.04434), tile by
// tile with a running softmax (FlashAttention-2, arXiv 2307.08691). A block takes 128 rows of one head; keys lie at
// absolute multiples of a tile, so a row's bits do not depend on how a prompt is cut.
// FLOPs: 2 * 512 a head and pair of row and key, half of them masked; bytes: keys and values once for 128 rows.
// Tested by tests/unit/cuda/mla_test.cpp.
#pragma once

#include <cuda_fp16.h>

#include "cuda/device_memory.h"

namespace glint::cuda {

struct MlaPrefill {
  __half* out = nullptr;           // [n_rows, n_heads, d_v]
  const __half* q = nullptr;       // [n_rows, n_heads, d_nope + d_rope]
  const __half* k_nope = nullptr;  // [n_past + n_rows, n_heads, d_nope]
  const __half* k_rope = nullptr;  // [n_past + n_rows, d_rope]
  const __half* v = nullptr;       // [n_past + n_rows, n_heads, d_v]
  int n_rows = 0;
  int n_past = 0;
  int n_heads = 0;
  float scale = 1;
};

/// Is there a kernel for heads of these widths?
bool mla_prefill_supports(int d_nope, int d_rope, int d_v);
void mla_prefill(const Stream& stream, const MlaPrefill& args);

}  // namespace glint::cuda
