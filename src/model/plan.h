// SPDX-License-Identifier: Apache-2.0
//
// What a model will cost, to the byte, before anything is read: weights, cache, working memory, and the bytes that
// generating one token reads. Used by `inspect` and when a context is chosen to fit.
// Tested by tests/unit/model/plan_test.cpp.
#pragma once

#include <cstdint>

#include "gguf/file.h"
#include "model/decoder_options.h"
#include "model/kv_cache.h"
#include "model/spec.h"

namespace glint {

struct ModelPlan {
  int64_t weight_bytes = 0;     // of the tensors that are used, where they lie in the file
  int64_t converted_bytes = 0;  // of copies in another layout (joint kv_b); 0 for most files
  int64_t parameters = 0;
  int64_t bytes_read_per_token = 0;  // weights that one generated token passes through, experts counted as chosen
  int64_t kv_bytes_per_token = 0;
  KvBytes kv;  // the same, keys and values apart
};

/// Of the trunk, without prediction blocks. Throws Error as load_model would for a missing or mis-shaped tensor.
ModelPlan plan_model(const gguf::File& file, const ModelSpec& spec, KvFormat format);

/// Memory that a Decoder of these options takes besides the weights; exactly what its cache() and scratch_bytes()
/// report.
struct DecoderPlan {
  int64_t k_bytes = 0;
  int64_t v_bytes = 0;
  int64_t scratch_bytes = 0;
  int64_t total() const { return k_bytes + v_bytes + scratch_bytes; }
};
DecoderPlan plan_decoder(const ModelSpec& spec, const DecoderOptions& options);

}  // namespace glint
