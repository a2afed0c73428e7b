// SPDX-License-Identifier: Apache-2.0
//
// Fuzzes the reader of --kl-divergence-base: whatever the bytes, an Error, or tokens of the vocabulary and rows of
// log-probabilities that can all be read. `make fuzz` runs it; tests/unit/engine/logits_file_test.cpp runs the corpus.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/check.h"
#include "engine/logits_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const glint::LogitsFile file = glint::LogitsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
    const glint::LogitsFileShape& shape = file.shape();
    for (int32_t id : file.tokens()) {
      if (id < 0 || id >= shape.n_vocab) std::abort();
    }
    std::vector<float> values(static_cast<size_t>(shape.n_vocab));
    for (int chunk = 0; chunk < shape.n_chunks; ++chunk) {
      for (int position = 0; position < shape.n_scored(); ++position) {
        const glint::Distribution row = file.row(chunk, position, values);
        for (int32_t id = 0; id < shape.n_vocab; ++id) {
          if (!(row.log_p(id) <= row.log_p(row.top)) || !std::isfinite(row.log_p(id))) std::abort();
        }
      }
    }
  } catch (const glint::Error&) {
  }
  return 0;
}
