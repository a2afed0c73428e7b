// SPDX-License-Identifier: Apache-2.0
//
// How large a decoder is made: what its cache and working memory depend on besides the model. Fixed for its life.
#pragma once

#include <cstdint>
#include <functional>

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
  bool nextn = false;  // the prediction block is used; load_model must have been told so
};

/// What an allocation of so many bytes takes; see Backend::allocation_bytes.
using AllocationBytes = std::function<int64_t(int64_t bytes)>;

}  // namespace glint
