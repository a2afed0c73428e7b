// SPDX-License-Identifier: Apache-2.0
//
// What a model will cost, to the byte, before anything is read: weights, cache, and the bytes that generating one token
// reads. Used by `inspect` and when a context is chosen to fit.
// Tested by tests/unit/model/plan_test.cpp.
#pragma once

#include <cstdint>

#include "gguf/file.h"
#include "model/kv_cache.h"
#include "model/spec.h"

namespace glint {

struct ModelPlan {
  int64_t weight_bytes = 0;                // of the tensors that are used
  int64_t parameters = 0;
  int64_t bytes_read_per_token = 0;        // weights that one generated token passes through, experts counted as used
  int64_t kv_bytes_per_token = 0;
};

/// Throws Error as load_model would for a missing or mis-shaped tensor.
ModelPlan plan_model(const gguf::File& file, const ModelSpec& spec, KvFormat format);

}  // namespace glint
