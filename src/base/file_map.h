// SPDX-License-Identifier: Apache-2.0
//
// A whole file mapped read-only. Used by gguf (models larger than memory) and by anything that reads a file once.
// Opening reads no data: pages come in when they are touched.
// Tested by tests/unit/base/file_map_test.cpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace glint {

/// Owns one mapping; move-only. The bytes stay at their address when the FileMap moves, and may be read from any
/// thread. Another program that truncates the file while it is mapped makes a read fail with SIGBUS: nobody can
/// prevent that short of copying the file.
class FileMap {
 public:
  /// Throws Error with the system's reason; what is not a regular file (a folder, a device, a pipe) is refused by
  /// name. An empty file gives an empty span.
  static FileMap open(const std::string& path);

  FileMap(FileMap&& other) noexcept;
  FileMap& operator=(FileMap&& other) noexcept;
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;
  ~FileMap();

  std::span<const std::byte> bytes() const { return bytes_; }
  /// The same bytes as text.
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  explicit FileMap(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace glint
