// SPDX-License-Identifier: Apache-2.0
//
// Attention of a prompt's rows over one sequence's latents (arXiv 2405.04434) with Hopper's own instructions, in two
// kernels: all heads' keys and values are expanded from the cache, and rows attend to them tile by tile with a running
// softmax (FlashAttention-3, arXiv 2407.08608). What lies between them in memory is cut into tiles as the second takes
// them into shared memory, so that one instruction of one thread copies a tile.
// FLOPs: 2 * kv_rank * n_heads * (d_nope + d_v) a latent; 2 * 512 a head and pair of row and key, half of the last
// n_rows^2 pairs masked. Bytes: keys and values written once and read once for 128 rows. Keys lie at absolute multiples
// of a tile, so a row's bits do not depend on how a prompt is cut.
// Tested by tests/unit/cuda/mla_test.cpp on a Hopper card.
#pragma once

#include <cuda_fp16.h>

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// The one shape there are kernels for: GLM-4.7-Flash's and DeepSeek-V2's but for the number of heads.
struct PromptShape {
  static constexpr int kKvRank = 512;
  static constexpr int kNope = 192;
  static constexpr int kRope = 64;
  static constexpr int kValue = 256;
  static constexpr int kColumns = 256;  // outputs of the expansion that go together
  static constexpr int kTileKeys = 80;  // positions of a tile
  static constexpr int kPanelColumns = 64;
  static constexpr int kPanel = kTileKeys * kPanelColumns;  // halves
  static constexpr int kKeyPanels = kNope / kPanelColumns;
  static constexpr int kValuePanels = kValue / kPanelColumns;
};

/// Keys, rotated tails and values of positions [0, n): for each tile of 80 positions panels of 64 columns, of which
/// each row's eight sixteen-byte chunks are swizzled (chunk c at c ^ row % 8). Positions behind n hold zeros.
struct PromptTiles {
  __half* keys = nullptr;    // [n_heads, n_tiles, 3 panels]
  __half* tails = nullptr;   // [n_tiles, 1 panel]
  __half* values = nullptr;  // [n_heads, n_tiles, 4 panels]
  int n_tiles = 0;

  /// Halves of memory for so many positions.
  static int64_t halves(int64_t n, int n_heads);
  PromptTiles(__half* memory, int n, int n_heads);
};

/// Has the card, in this build, kernels for this shape?
bool prompt_sm90_supports(const Stream& stream, int n_heads, int kv_rank, int d_nope, int d_rope, int d_v);

/// The weights as expand_latents takes them, made of f16 rows [n_heads * (192 + 256), 512]: all heads' keys, then
/// values. As many halves.
void tile_expansion(const Stream& stream, __half* tiles, const __half* rows, int n_heads);

struct LatentExpansion {
  const __half* cache = nullptr;  // rows of 512 + 64: latent, rotated tail
  const int32_t* pages = nullptr;
  const __half* weights = nullptr;  // of tile_expansion
  int n = 0;                        // positions
  int n_heads = 0;
};
void expand_latents(const Stream& stream, const PromptTiles& out, const LatentExpansion& args);

struct PromptAttention {
  __half* out = nullptr;      // [n_rows, n_heads, 256]
  const __half* q = nullptr;  // [n_rows, n_heads, 192 + 64]
  int n_rows = 0;
  int n_past = 0;
  int n_heads = 0;
  float scale = 1;
};
void attend_prompt(const Stream& stream, const PromptAttention& args, const PromptTiles& tiles);

}  // namespace glint::cuda
