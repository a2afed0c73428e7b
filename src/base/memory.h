// SPDX-License-Identifier: Apache-2.0
//
// How much memory this process may still take: the machine's estimate, lowered by the control group's limit.
// Tested by tests/unit/base/memory_test.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace glint {

/// Bytes; `root` is where /proc and /sys are looked for (tests). A very large number where nothing is known.
int64_t available_memory(const std::string& root = "");

}  // namespace glint
