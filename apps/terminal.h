// SPDX-License-Identifier: Apache-2.0
//
// What people see: log lines on stderr, a progress bar, colours only where a terminal shows them. stdout carries the
// answer alone. Also Ctrl-C, as a flag that loops poll.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace glint::app {

bool stdout_is_terminal();
bool stderr_is_terminal();
/// Columns of the terminal on stderr; 80 where it has none.
int terminal_width();

void print_log(std::string_view level, const std::string& message);

/// One line on stderr: "glint: warning: ...".
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  print_log("warning", fmt::format(format, std::forward<Args>(args)...));
}

/// One line on stderr without a level.
template <class... Args>
void inform(fmt::format_string<Args...> format, Args&&... args) {
  print_log("", fmt::format(format, std::forward<Args>(args)...));
}

/// Dim text on a terminal; plain otherwise. For stdout.
std::string dimmed(std::string_view text);

/// A bar on stderr, redrawn at most ten times a second and only on a terminal; shown only once the work takes long.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label, double after_seconds = 1);
  ~ProgressBar();
  void update(uint64_t done, uint64_t total);
  /// Takes the bar away until the next update, so that a line can be printed.
  void erase();

 private:
  std::string label_;
  double after_seconds_;
  double started_;
  double drawn_ = 0;
  bool visible_ = false;
};

/// Seconds on a steady clock.
double now_seconds();

/// "1.2 GiB", "423.0 MiB", "17 KiB".
std::string format_bytes(double bytes);

/// Set by Ctrl-C while a CatchInterrupt lives; a second Ctrl-C before it is read ends the program with status 130.
class CatchInterrupt {
 public:
  CatchInterrupt();
  ~CatchInterrupt();
  CatchInterrupt(const CatchInterrupt&) = delete;
  CatchInterrupt& operator=(const CatchInterrupt&) = delete;
  const std::atomic<bool>& flag() const;
  void reset();
};

}  // namespace glint::app
