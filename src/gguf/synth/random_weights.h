// SPDX-License-Identifier: Apache-2.0
//
// Random tensor data in every weight format, for files with a model's shapes and no model's knowledge (gguf/synth.h).
// Blocks get random bits, and scales chosen so that the values have the wanted standard deviation: activations then
// stay in the range of a real model's. Tested by tests/unit/gguf/random_weights_test.cpp.
#pragma once

#include <cstdint>

#include "gguf/writer.h"
#include "tensor/dtype.h"

namespace glint::gguf {

struct RandomWeights {
  DType dtype = DType::kF32;  // a weight format
  uint64_t n_bytes = 0;       // of the whole tensor
  float deviation = 1;        // standard deviation of the values; 0 gives zeros
  float mean = 0;             // added to each value; float formats only
  uint64_t seed = 0;          // same seed, same bytes
  int threads = 1;            // changes no byte
};

/// Fills a tensor, whatever ranges it is asked for.
Writer::Fill random_weights(const RandomWeights& weights);

}  // namespace glint::gguf
