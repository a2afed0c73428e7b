// SPDX-License-Identifier: Apache-2.0
//
// Opens a GGUF file (versions 2 and 3, one file or a split set) over a memory map. The file is hostile until checked:
// every count, length, offset, alignment and product is bounded by the bytes that are there before it is used, so no
// file can crash, hang or make glint allocate more than its own size justifies. Errors name the file, the key or
// tensor, what was expected and what was found. Opening reads the header only; tensor data stays on disk until touched.
// Tested by tests/unit/gguf/{header,file,split}_test.cpp; fuzzed by tests/fuzz/gguf_fuzz.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/metadata.h"
#include "tensor/host_tensor.h"

namespace glint::gguf {

/// A parsed file; owns the memory maps that metadata strings and tensors point into. Immutable; move-only.
class File {
 public:
  /// Opens `path`. Any part of a split set (-0000N-of-0000M) opens the whole set: metadata from the first part,
  /// tensors from all. `overrides` are --override-kv texts, applied in order.
  static File open(const std::string& path, std::span<const std::string> overrides = {});
  /// Parses an image in memory (tests, the embedded model, fuzzing). `bytes` must outlive the File. A part of a split
  /// set is refused: its other parts can only be found beside a path.
  static File parse(std::span<const std::byte> bytes, const std::string& name,
                    std::span<const std::string> overrides = {});

  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  const std::string& name() const;
  uint32_t version() const;
  uint64_t alignment() const;
  uint64_t total_bytes() const;  // all parts
  int parts() const;             // 1 unless split
  const Metadata& metadata() const;
  /// In file order; of a split set, part after part.
  std::span<const HostTensor> tensors() const;
  /// Logarithmic time (see Metadata::find); nullptr when absent.
  const HostTensor* find(std::string_view tensor_name) const;

 private:
  struct Impl;
  explicit File(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace glint::gguf
