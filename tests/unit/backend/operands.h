// SPDX-License-Identifier: Apache-2.0
//
// Operands for tests of any backend: arrays in its memory, random weights of every format, caches whose pages are
// shuffled, and comparison. Only the Backend interface is used, so a backend with memory of its own can run them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "gguf/synth/random_weights.h"

namespace glint::backend_test {

inline constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1: the relative error of one rounding

/// Uniform in [-1, 1), so that sums have simple bounds.
inline std::vector<float> random_values(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = scale * (static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
  return values;
}

/// An array in a backend's memory.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Backend& backend, const std::vector<T>& values)
      : backend_(&backend),
        size_(values.size()),
        buffer_(backend.allocate(std::max<size_t>(1, values.size()) * sizeof(T))) {
    backend.upload(buffer_->data(), values.data(), size_ * sizeof(T));
  }
  T* data() const { return static_cast<T*>(buffer_->data()); }
  std::vector<T> download() const {
    std::vector<T> values(size_);
    backend_->download(values.data(), buffer_->data(), size_ * sizeof(T));
    return values;
  }

 private:
  Backend* backend_;
  size_t size_;
  std::unique_ptr<Buffer> buffer_;
};
using DeviceFloats = DeviceArray<float>;
using DeviceInts = DeviceArray<int32_t>;

/// A host tensor that owns its bytes; dims outermost first.
class OwnedTensor {
 public:
  OwnedTensor(std::vector<int64_t> dims, const std::vector<float>& values) : dims_(std::move(dims)) {
    bytes_.resize(values.size() * sizeof(float));
    std::memcpy(bytes_.data(), values.data(), bytes_.size());
  }
  /// Random blocks whose values have this standard deviation; made by so many threads.
  OwnedTensor(DType dtype, std::vector<int64_t> dims, uint64_t seed, float deviation = 0.5f, int threads = 1)
      : dtype_(dtype), dims_(std::move(dims)) {
    bytes_.resize(static_cast<size_t>(row_bytes(dtype, tensor().elements())));
    gguf::random_weights({.dtype = dtype,
                          .n_bytes = bytes_.size(),
                          .deviation = deviation,
                          .mean = 0,
                          .seed = seed,
                          .threads = threads})(0, bytes_);
  }
  HostTensor tensor() const { return {"weight", dtype_, dims_, bytes_}; }

 private:
  DType dtype_ = DType::kF32;
  std::vector<int64_t> dims_;
  std::vector<std::byte> bytes_;
};

/// Formats that a weight may have.
inline std::vector<DType> weight_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeTraits& t : all_dtypes())
    if (t.is_weight) dtypes.push_back(t.dtype);
  return dtypes;
}

/// What one sequence has in the cache and how many of its last tokens are in the batch.
struct SequenceLength {
  int n_tokens;
  int n_queries;
};

/// Positions, sequences and a page table in which no sequence's pages are in order.
class PagedBatch {
 public:
  /// `all`: rows for every cached token instead of the queries alone.
  PagedBatch(Backend& backend, const std::vector<SequenceLength>& lengths, bool all) : max_pages_(1) {
    for (const auto& l : lengths) max_pages_ = std::max(max_pages_, (l.n_tokens + kPageTokens - 1) / kPageTokens);
    std::vector<int32_t> pages(lengths.size() * static_cast<size_t>(max_pages_));
    for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int32_t>(i);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(7));
    std::vector<int32_t> positions, sequences;
    for (size_t s = 0; s < lengths.size(); ++s) {
      for (int p = all ? 0 : lengths[s].n_tokens - lengths[s].n_queries; p < lengths[s].n_tokens; ++p) {
        positions.push_back(p);
        sequences.push_back(static_cast<int32_t>(s));
      }
    }
    n_tokens_ = static_cast<int>(positions.size());
    n_rows_ = static_cast<int64_t>(pages.size()) * kPageTokens;
    positions_ = std::make_unique<DeviceInts>(backend, positions);
    sequences_ = std::make_unique<DeviceInts>(backend, sequences);
    pages_ = std::make_unique<DeviceInts>(backend, pages);
  }
  Batch batch() const {
    return {n_tokens_, nullptr, positions_->data(), sequences_->data(), pages_->data(), max_pages_};
  }
  int n_tokens() const { return n_tokens_; }
  int64_t n_cache_rows() const { return n_rows_; }

 private:
  int max_pages_;
  int n_tokens_ = 0;
  int64_t n_rows_ = 0;
  std::unique_ptr<DeviceInts> positions_, sequences_, pages_;
};

/// Every |got - expected| within its bound; names the first that is not.
inline testing::AssertionResult within(const std::vector<float>& got, const std::vector<float>& expected,
                                       const std::vector<double>& bound) {
  if (got.size() != expected.size() || bound.size() != expected.size())
    return testing::AssertionFailure() << got.size() << " values, " << expected.size() << " expected, " << bound.size()
                                       << " bounds";
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - expected[i]);
    if (error <= bound[i]) continue;
    return testing::AssertionFailure() << "value " << i << ": " << got[i] << ", expected " << expected[i] << " within "
                                       << bound[i];
  }
  return testing::AssertionSuccess();
}

}  // namespace glint::backend_test
