// SPDX-License-Identifier: Apache-2.0
//
// The models that `synth` knows: metadata, tensor names and shapes as llama.cpp's converter writes them for each
// family, at a real model's sizes or at tiny ones. Facts only: synth.cpp chooses formats and makes the data. Tested
// against converted models by tests/unit/gguf/synth_test.cpp, against published sizes by synth_models_test.cpp beside
// it, and as models that load and run by tests/unit/model/full_shapes_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "gguf/synth/sketch.h"
#include "gguf/synth/tokenizer_facts.h"

namespace glint::gguf {

struct KnownModel {
  std::string_view name;
  std::string_view description;
  int n_layers;
  size_t n_vocab;
  const TokenizerFacts& tokenizer;
  size_t first_special;  // id of the first special token of a byte-level vocabulary made here
  ModelSketch (*sketch)(int n_layers, int64_t n_vocab);
};

std::span<const KnownModel> known_models();

}  // namespace glint::gguf
