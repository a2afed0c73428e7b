// SPDX-License-Identifier: Apache-2.0
//
// A saved conversation: a small file that says which text of which model it is. The rows themselves are pages of the
// prefix store, which texts with one beginning share.
// Called by server/slot_endpoints. Tested by tests/unit/engine/slot_file_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/sha256.h"

namespace glint {

/// Replaces the file at once when it is whole. Throws Error when that is not possible, and when what is there is no
/// slot file: that is not ours to replace.
void write_slot_file(const std::string& path, const Digest& fingerprint, std::span<const int32_t> ids);

/// Throws Error for a file that is not there, none of these, torn or damaged, or of a model whose fingerprint is
/// another.
std::vector<int32_t> read_slot_file(const std::string& path, const Digest& fingerprint);

/// Throws Error for a path that write_slot_file would not replace.
void check_slot_file_place(const std::string& path);

/// Of a file with so many ids.
int64_t slot_file_bytes(size_t n_ids);

}  // namespace glint
