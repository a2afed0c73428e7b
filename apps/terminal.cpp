// SPDX-License-Identifier: Apache-2.0
#include "apps/terminal.h"

#include <csignal>
#include <chrono>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/printable.h"

namespace glint::app {
namespace {

std::atomic<bool> interrupted{false};

extern "C" void handle_interrupt(int) {
  if (interrupted.exchange(true)) _exit(130);
}

}  // namespace

bool stdout_is_terminal() {
  static const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  return is_terminal;
}

bool stderr_is_terminal() {
  static const bool is_terminal = isatty(STDERR_FILENO) != 0;
  return is_terminal;
}

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void print_log(std::string_view level, const std::string& message) {
  std::fflush(stdout);
  const std::string line = one_line(message);  // a file's name may hold anything
  if (level.empty()) {
    fmt::print(stderr, "glint: {}\n", line);
  } else {
    fmt::print(stderr, "glint: {}: {}\n", level, line);
  }
}

std::string dimmed(std::string_view text) {
  if (!stdout_is_terminal()) return std::string(text);
  return fmt::format("\x1b[2m{}\x1b[22m", text);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ProgressBar::ProgressBar(std::string label, double after_seconds)
    : label_(std::move(label)), after_seconds_(after_seconds), started_(now_seconds()) {}

ProgressBar::~ProgressBar() { erase(); }

void ProgressBar::erase() {
  if (visible_) fmt::print(stderr, "\r\x1b[K");
  visible_ = false;
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  const double now = now_seconds();
  if (!stderr_is_terminal() || total == 0 || now - started_ < after_seconds_ || now - drawn_ < 0.1) return;
  drawn_ = now;
  visible_ = true;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double left = share > 0 ? (now - started_) * (1 - share) / share : 0;
  const int width = std::max(10, std::min(40, terminal_width() - static_cast<int>(label_.size()) - 30));
  const int filled = static_cast<int>(share * width);
  fmt::print(stderr, "\r{} [{}{}] {:3.0f} %  {:.0f} s left\x1b[K", label_, std::string(filled, '='),
             std::string(width - filled, ' '), share * 100, left);
  std::fflush(stderr);
}

std::string format_bytes(double bytes) {
  if (bytes >= 1024.0 * 1024 * 1024) return fmt::format("{:.2f} GiB", bytes / (1024.0 * 1024 * 1024));
  if (bytes >= 1024.0 * 1024) return fmt::format("{:.1f} MiB", bytes / (1024.0 * 1024));
  if (bytes >= 1024.0) return fmt::format("{:.1f} KiB", bytes / 1024.0);
  return fmt::format("{:.0f} B", bytes);
}

CatchInterrupt::CatchInterrupt() {
  interrupted = false;
  struct sigaction action {};
  action.sa_handler = handle_interrupt;
  sigaction(SIGINT, &action, nullptr);
}

CatchInterrupt::~CatchInterrupt() { signal(SIGINT, SIG_DFL); }

const std::atomic<bool>& CatchInterrupt::flag() const { return interrupted; }

void CatchInterrupt::reset() { interrupted = false; }

}  // namespace glint::app
