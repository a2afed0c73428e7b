// SPDX-License-Identifier: Apache-2.0
#include "cuda/workspace.h"

#include <algorithm>

#include "cuda/flash_attend.h"
#include "cuda/launch.h"
#include "cuda/mla_decode.h"
#include "cuda/mla_prompt_sm90.h"
#include "cuda/route.h"
#include "cuda/top.h"

namespace glint::cuda {
namespace {

/// In runs four times as many take one launch (mla_decode.h); 2.6 MB a row of GLM-4.7-Flash.
int attention_rows(const StepLimits& limits) {
  return std::clamp(limits.n_sequences, 8, 32);
}

struct Sizes {
  int64_t halves, expanded, floats, integers;
};

Sizes sizes_for(const StepLimits& limits) {
  // Rows are padded to 64 columns: at most 63 for each row of at least 64 values that counts, and as much again for
  // short rows.
  const int64_t halves = 2 * limits.input_values + static_cast<int64_t>(limits.max_tokens) * 64;
  const int64_t slots = static_cast<int64_t>(limits.max_tokens) * std::max(1, limits.top_k);
  // Tiles of the expansion may reach behind the last position.
  const int64_t positions = limits.d_latent > 0 ? limits.n_ctx + PromptShape::kTileKeys : 0;
  const int64_t expanded = positions * (limits.d_latent + limits.d_expanded);
  const int64_t latent =
      limits.d_latent > 0 ? mla_decode_floats(attention_rows(limits), limits.n_heads, limits.d_latent) : 0;
  const int64_t grouped =
      limits.d_head > 0 ? flash_attend_floats(blocks_for(limits.n_ctx, kPageTokens), limits.n_heads, limits.d_head) : 0;
  return {halves, expanded, std::max(latent, grouped),
          std::max(group_integers(slots, limits.n_experts), top_integers())};
}

}  // namespace

int64_t Workspace::bytes_for(const StepLimits& limits) {
  const Sizes sizes = sizes_for(limits);
  int64_t total = 0;
  for (int64_t bytes : {2 * sizes.halves, 2 * sizes.expanded, 4 * sizes.floats, 4 * sizes.integers})
    total += allocation_bytes(bytes);
  return total;
}

void Workspace::reserve(const Stream& stream, const StepLimits& limits) {
  const Sizes sizes = sizes_for(limits);
  halves(stream, sizes.halves);
  expanded(stream, sizes.expanded);
  floats(stream, sizes.floats);
  integers(stream, sizes.integers);
  attention_rows_ = glint::cuda::attention_rows(limits);
}

void* Workspace::grown(const Stream& stream, std::unique_ptr<DeviceBuffer>& buffer, int64_t bytes) {
  if (buffer == nullptr || static_cast<int64_t>(buffer->bytes()) < bytes) {
    check(cudaStreamSynchronize(stream.handle));  // what uses the old one must be done
    buffer = std::make_unique<DeviceBuffer>(static_cast<size_t>(bytes));
  }
  return buffer->data();
}

}  // namespace glint::cuda
