// SPDX-License-Identifier: Apache-2.0
//
// Writes GGUF version 3. Metadata and tensor descriptions first, then tensor data in the order declared, each padded
// to the alignment, streamed: a file larger than memory can be written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace glint::gguf {

class Writer {
 public:
  explicit Writer(uint32_t alignment = 32);
  ~Writer();

  void add_uint32(std::string_view key, uint32_t value);
  void add_int32(std::string_view key, int32_t value);
  void add_uint64(std::string_view key, uint64_t value);
  void add_float32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_int32s(std::string_view key, std::span<const int32_t> values);
  void add_float32s(std::string_view key, std::span<const float> values);

  /// Produces the bytes of one tensor piece by piece: called with consecutive byte ranges until all are written.
  /// (tensor bytes, offset into the tensor, destination)
  using Fill = std::function<void(uint64_t offset, std::span<std::byte> destination)>;
  /// `dims` outermost first.
  void add_tensor(std::string name, DType dtype, std::vector<int64_t> dims, Fill fill);
  void add_tensor(std::string name, DType dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes);

  /// Total size of the file to be written.
  uint64_t total_bytes() const;
  /// Writes to `path` through a temporary beside it, renamed when complete; throws Error with the system's reason.
  /// `progress(done, total)` is called at most every few MiB; it may throw to cancel (the temporary is removed).
  void write(const std::string& path, const std::function<void(uint64_t, uint64_t)>& progress = {});
  /// The same image in memory, for tests and small models.
  std::vector<std::byte> image();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glint::gguf
