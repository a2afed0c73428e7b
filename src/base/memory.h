// SPDX-License-Identifier: Apache-2.0
//
// How much memory this process may still take: the machine's estimate, lowered by the control group's limit and by what
// the process was promised and has not touched yet, which the machine knows nothing of.
// Tested by tests/unit/base/memory_test.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace glint {

/// Bytes; `root` is where /proc and /sys are looked for (tests). A very large number where nothing is known.
int64_t available_memory(const std::string& root = "");

/// Counts for as long as it lives. Safe from any thread.
class PromisedMemory {
 public:
  enum class Kind {
    kAnonymous,  // an allocation: its pages come into being when they are written
    kFile,       // a mapped file that is read again and again: to the machine its pages can be had back at any time
  };
  PromisedMemory(int64_t bytes, Kind kind);
  ~PromisedMemory();
  PromisedMemory(const PromisedMemory&) = delete;
  PromisedMemory& operator=(const PromisedMemory&) = delete;

  /// Of all that live, bytes.
  static int64_t total(Kind kind);

 private:
  int64_t bytes_;
  Kind kind_;
};

}  // namespace glint
