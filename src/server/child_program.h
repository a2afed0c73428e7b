// SPDX-License-Identifier: Apache-2.0
//
// A program run on bytes: they are its stdin, what it writes to stdout comes back. No shell, no files with names, an
// empty environment, bounds on everything. For programs that read hostile input. Called by server/pdf_text.
// Tested by tests/unit/server/pdf_text_test.cpp.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

namespace glint::server {

struct ChildLimits {
  int seconds = 20;  // of the clock, and of each processor
  size_t memory_bytes = size_t{1} << 30;
  size_t output_bytes = 4 << 20;
};

struct ChildResult {
  enum class End { kExit, kNotFound, kTimeout, kTooMuchOutput, kKilled, kCancelled };
  End end = End::kExit;
  int status = 0;  // of kExit
  std::string output;
};

/// Waits for the program, at most until `cancelled` says so. Throws Error when it cannot be started.
ChildResult run_child(const std::vector<std::string>& command, std::string_view input, const ChildLimits& limits,
                      const std::atomic<bool>& cancelled);

}  // namespace glint::server
