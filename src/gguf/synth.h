// SPDX-License-Identifier: Apache-2.0
//
// Makes GGUF files of a known model's exact shapes and formats with random weights: for benchmarks without the download
// and, in tiny sizes, for tests. Used by `glint synth` and by tests of other layers.
// Tested by tests/unit/gguf/synth_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/writer.h"

namespace glint::gguf {

struct KnownModel;

struct SynthOptions {
  std::string model = {};          // one of synth_models()
  std::string type = "q4_k_m";     // one of synth_types(), or a weight format ("f16", "iq2_xxs"): every matrix in it
  int layers = 0;                  // 0: as many as the model has
  uint64_t seed = 1;               // same options and seed, same bytes
  std::string tokenizer = {};      // path of a byte-level BPE tokenizer.json; empty: a small vocabulary made here
  std::string chat_template = {};  // path of a Jinja template; empty: none
  int threads = 0;                 // that make the data; 0: one per processor; changes no byte
};

/// Adds the whole model to `writer` (which must be empty): metadata at once, tensor data when the writer is asked to
/// write. The file is a model of `layers` layers: block_count says so, and formats that depend on a layer's place are
/// chosen for that number. A tokenizer larger than the model's vocabulary enlarges it.
/// Throws Error for unknown names and for tokenizers of another kind.
void synthesize(const SynthOptions& options, Writer& writer);
/// The same for `model` itself (gguf/synth/models.h), whatever options.model says: a known one with a smaller
/// vocabulary, say.
void synthesize(const KnownModel& model, const SynthOptions& options, Writer& writer);

struct SynthName {
  std::string_view name;
  std::string_view description;
};
std::vector<SynthName> synth_models();
std::vector<SynthName> synth_types();

}  // namespace glint::gguf
