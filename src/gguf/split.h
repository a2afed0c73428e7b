// SPDX-License-Identifier: Apache-2.0
//
// Names and keys of split models. A set of n parts is PREFIX-00001-of-0000n.gguf ... PREFIX-0000n-of-0000n.gguf; each
// part is a GGUF file with split.no (from 0), split.count and split.tensors.count (of the whole set), and the first
// part carries all other metadata. Called by file.cpp. Tested by tests/unit/gguf/split_test.cpp.
#pragma once

#include <optional>
#include <string>

#include "gguf/metadata.h"

namespace glint::gguf {

/// "dir/x-00002-of-00003.gguf" taken apart.
struct SplitName {
  std::string prefix;  // "dir/x"
  int number = 1;      // from 1
  int count = 1;

  std::string path(int part_number) const;
};

/// Nothing when `path` is not the name of a part.
std::optional<SplitName> parse_split_name(const std::string& path);

/// What the split.* keys of one part say; {0, 1, ...} for a file without them.
struct SplitKeys {
  int index = 0;  // from 0
  int count = 1;
  int64_t n_tensors = -1;  // of the whole set; -1 when not told
};

/// Throws Error when the keys contradict themselves.
SplitKeys read_split_keys(const Metadata& metadata);

}  // namespace glint::gguf
