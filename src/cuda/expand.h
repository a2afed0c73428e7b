// SPDX-License-Identifier: Apache-2.0
//
// Keys and values of all heads from MLA's latents, for prompts: one product of f16 rows with Hopper's own instructions.
// FLOPs: 2 * kv_rank * (d_keys + d_values) a latent. Tested by tests/unit/cuda/mla_test.cpp on a Hopper card.
#pragma once

#include <cuda_fp16.h>

#include "cuda/device_memory.h"

namespace glint::cuda {

struct Expansion {
  __half* keys = nullptr;           // [n_rows, d_keys]
  __half* values = nullptr;         // [n_rows, d_values]
  const __half* latents = nullptr;  // [n_rows, kv_rank]
  const __half* weights = nullptr;  // [d_keys + d_values, kv_rank]
  int n_rows = 0;
  int kv_rank = 0;
  int d_keys = 0;
  int d_values = 0;
};

/// Does expand() take these widths on this card, in this build?
bool can_expand_sm90(const Stream& stream, int kv_rank, int d_keys, int d_values);
void expand_sm90(const Stream& stream, const Expansion& args);

}  // namespace glint::cuda
