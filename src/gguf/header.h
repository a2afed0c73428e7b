// SPDX-License-Identifier: Apache-2.0
//
// Reads the part of a GGUF file before the tensor data, checking each number against the bytes that are there before
// using it. Called by file.cpp for each part of a model; knows nothing of split sets or of the file system, and
// touches no tensor data.
//
//   "GGUF" u32 version  u64 n_tensors  u64 n_keys
//   n_keys    x { string key, u32 type, value }             string = u64 length, bytes; array = u32 type, u64 n, values
//   n_tensors x { string name, u32 rank, u64 dims[rank] (innermost first), u32 type, u64 offset from the data }
//   padding to general.alignment, then the data: each offset a multiple of the alignment
//
// Tested by tests/unit/gguf/header_test.cpp and fuzzed by tests/fuzz/gguf_fuzz.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/metadata.h"
#include "tensor/dtype.h"

namespace glint::gguf {

/// What a file says of one tensor; checked: the type is known, rows are whole blocks, the range lies inside the file.
struct TensorInfo {
  std::string_view name;
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;  // outermost first, all positive; a scalar (rank 0) is [1]
  uint64_t begin = 0;         // of its bytes, from the start of the file
  uint64_t size = 0;          // in bytes
};

struct Header {
  uint32_t version = 0;
  uint64_t alignment = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;    // in file order; names may repeat (the caller knows of the other parts)
  bool another_file_follows = false;  // after the last tensor a second "GGUF" begins: parts joined with cat
};

/// Reads and checks the header in `bytes`, the whole file; the result points into them. Throws Error.
/// Time is n log n in the size of the header, memory at most a small multiple of it.
Header read_header(std::span<const std::byte> bytes, const std::string& file_name);

}  // namespace glint::gguf
