// SPDX-License-Identifier: Apache-2.0
//
// A name for "the same rows for the same ids": of a model file, how it is read, and the cache's format. Two files with
// one fingerprint fill the cache alike, so that pages kept from one run may be used in another.
// Tensor data is sampled (three stretches of each tensor): hashing 18 GB at every start would cost more than it saves.
// Called by engine/batch_engine. Tested by tests/unit/engine/prefix_store_test.cpp.
#pragma once

#include <string_view>

#include "base/sha256.h"
#include "gguf/file.h"
#include "model/decoder_options.h"
#include "model/spec.h"

namespace glint {

/// `backend`: backends agree with each other, but not in every bit.
Digest model_fingerprint(const gguf::File& file, const ModelSpec& spec, const DecoderOptions& options,
                         std::string_view backend);

}  // namespace glint
