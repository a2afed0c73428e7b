// SPDX-License-Identifier: Apache-2.0
#include "server/child_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "base/check.h"

namespace glint::server {
namespace {

using Clock = std::chrono::steady_clock;

/// A file without a name, for the length of a run.
class MemoryFile {
 public:
  explicit MemoryFile(const char* purpose) : file_(memfd_create(purpose, MFD_CLOEXEC)) {
    if (file_ < 0) fail("{}: no file in memory: {}", purpose, std::strerror(errno));
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(file_); }
  int descriptor() const { return file_; }

  void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail("no memory for a program's input: {}", std::strerror(errno));
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    lseek(file_, 0, SEEK_SET);
  }
  std::string read_all() const {
    struct stat facts = {};
    fstat(file_, &facts);
    std::string bytes(static_cast<size_t>(facts.st_size), '\0');
    size_t n_read = 0;
    while (n_read < bytes.size()) {
      const ssize_t n = pread(file_, bytes.data() + n_read, bytes.size() - n_read, static_cast<off_t>(n_read));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      n_read += static_cast<size_t>(n);
    }
    bytes.resize(n_read);
    return bytes;
  }

 private:
  int file_;
};

/// 0, or an errno. In a process group of its own, with default signals, and with nothing open but its three files.
int spawn(const std::vector<std::string>& command, int input, int output, pid_t& child) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char locale[] = "LC_ALL=C.UTF-8";
  char* environment[] = {locale, nullptr};
  const int error = posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

/// Of a process that has just begun: before it has read a byte that matters.
void limit_child(pid_t child, const ChildLimits& limits) {
  const auto set = [&](auto resource, size_t most) {
    const rlimit limit = {most, most};
    prlimit(child, resource, &limit, nullptr);
  };
  set(RLIMIT_CPU, static_cast<size_t>(limits.seconds));
  set(RLIMIT_AS, limits.memory_bytes);
  set(RLIMIT_FSIZE, limits.output_bytes);
  set(RLIMIT_NOFILE, 32);
  set(RLIMIT_CORE, 0);
}

/// True when the child is gone, with its wait status; the child's group is killed when the time is up.
bool wait_until(pid_t child, Clock::time_point deadline, const std::atomic<bool>& cancelled, int& status) {
  bool in_time = true;
  while (true) {
    const pid_t gone = waitpid(child, &status, in_time ? WNOHANG : 0);
    if (gone == child) return in_time;
    if (gone < 0 && errno != EINTR) fail("a program was lost: {}", std::strerror(errno));
    if (gone == 0 && (cancelled || Clock::now() >= deadline)) {
      in_time = false;
      kill(-child, SIGKILL);
    } else if (gone == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, std::string_view input, const ChildLimits& limits,
                      const std::atomic<bool>& cancelled) {
  using End = ChildResult::End;
  MemoryFile in("child-input"), out("child-output");
  in.write_all(input);
  pid_t child = 0;
  const int error = spawn(command, in.descriptor(), out.descriptor(), child);
  if (error == ENOENT) return {.end = End::kNotFound, .status = 0, .output = {}};
  if (error != 0) fail("{}: cannot be started: {}", command[0], std::strerror(error));
  limit_child(child, limits);
  int status = 0;
  const bool in_time = wait_until(child, Clock::now() + std::chrono::seconds(limits.seconds), cancelled, status);
  ChildResult result;
  if (!in_time) {
    result.end = cancelled ? End::kCancelled : End::kTimeout;
  } else if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    result.end = signal == SIGXFSZ ? End::kTooMuchOutput : signal == SIGXCPU ? End::kTimeout : End::kKilled;
  } else {
    result.status = WEXITSTATUS(status);
    result.output = out.read_all();
    if (result.output.size() >= limits.output_bytes) result.end = End::kTooMuchOutput;
  }
  return result;
}

}  // namespace glint::server
