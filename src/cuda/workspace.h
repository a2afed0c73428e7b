// SPDX-License-Identifier: Apache-2.0
//
// Memory that ops need besides their operands: f16 copies of inputs, lists of slots by expert. Sized once by
// reserve(); without it (tests of single ops) it grows when asked. Used by cuda_backend.cu and the blocks.
#pragma once

#include <cuda_fp16.h>

#include <memory>

#include "cuda/device_memory.h"

namespace glint::cuda {

class Workspace {
 public:
  /// What reserve() takes of the card.
  static int64_t bytes_for(const StepLimits& limits);
  void reserve(const Stream& stream, const StepLimits& limits);

  /// Room for values; contents undefined, valid until the next call.
  __half* halves(const Stream& stream, int64_t count) {
    return static_cast<__half*>(grown(stream, halves_, count * 2));
  }
  int32_t* integers(const Stream& stream, int64_t count) {
    return static_cast<int32_t*>(grown(stream, integers_, count * 4));
  }
  /// As halves(), apart from them: one sequence's latents with the keys and values expanded from them.
  __half* expanded(const Stream& stream, int64_t count) {
    return static_cast<__half*>(grown(stream, expanded_, count * 2));
  }
  /// Rows of a step whose partial results of attention, split by split, are kept at once.
  int attention_rows() const { return attention_rows_; }
  /// Such partial results.
  float* floats(const Stream& stream, int64_t count) { return static_cast<float*>(grown(stream, floats_, count * 4)); }

 private:
  void* grown(const Stream& stream, std::unique_ptr<DeviceBuffer>& buffer, int64_t bytes);

  std::unique_ptr<DeviceBuffer> halves_;
  std::unique_ptr<DeviceBuffer> expanded_;
  std::unique_ptr<DeviceBuffer> floats_;
  std::unique_ptr<DeviceBuffer> integers_;
  int attention_rows_ = 8;
};

}  // namespace glint::cuda
