// SPDX-License-Identifier: Apache-2.0
//
// How large a decoder is made: what its cache and working memory depend on besides the model. Fixed for its life.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "tensor/dtype.h"

namespace glint {

/// Formats of cached keys and values: F32, F16, BF16 or Q8_0. MLA's one row a token takes `k`.
struct KvFormat {
  DType k = DType::kF16;
  DType v = DType::kF16;
};

struct DecoderOptions {
  int n_ctx = 4096;  // tokens of cache in all; also decides which of longrope's two sets of frequencies is taken
  int n_sequences = 1;
  int max_tokens = 512;  // rows of one step
  KvFormat kv = {};
  bool nextn = false;                  // the prediction block is used; load_model must have been told so
  std::vector<bool> ffn_on_host = {};  // of each layer: its weights stay in host memory, where the CPU computes it

  bool is_on_host(int layer) const {
    return layer >= 0 && layer < static_cast<int>(ffn_on_host.size()) && ffn_on_host[static_cast<size_t>(layer)];
  }
  int n_on_host() const { return static_cast<int>(std::count(ffn_on_host.begin(), ffn_on_host.end(), true)); }
};

/// What an allocation of so many bytes takes; see Backend::allocation_bytes.
using AllocationBytes = std::function<int64_t(int64_t bytes)>;

}  // namespace glint
