// SPDX-License-Identifier: Apache-2.0
//
// Persistent threads for loops of microseconds to milliseconds. The caller works too; the others spin for a moment
// after each loop, as the next one usually follows at once, and then park, so that an idle pool costs nothing.
// A thread that wakes late finds the loop closed and is not waited for: on a busy machine the caller finishes alone.
// Used by cpu/; knows nothing of what the loops compute. Tested by tests/unit/base/thread_pool_test.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace glint {

class ThreadPool {
 public:
  /// n_threads counts the caller, so n_threads - 1 are started. `spins` is how many times a waiting thread looks before
  /// it parks (about 15 ns each); 0 where there are more threads than cores.
  /// Throws Error if n_threads is not in [1, kMaxThreads] or the system refuses a thread.
  explicit ThreadPool(int n_threads, int spins = kDefaultSpins);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;
  static constexpr int kDefaultSpins = 3000;

  int size() const { return n_threads_; }

  /// Calls body(begin, end, thread) for ranges of at most `grain` items that together cover [0, n_items) once, on
  /// any thread in [0, size()), in any order; returns when all are done. A thread's number is its own during the loop,
  /// so it may index scratch. The first exception of a body ends the loop and is thrown here. Allocates nothing.
  /// Only one thread at a time may call, and not from within a body.
  template <class Body>
  void parallel_for(int64_t n_items, int64_t grain, Body&& body) {
    using Callable = std::remove_reference_t<Body>;
    run(n_items, grain, const_cast<void*>(static_cast<const void*>(&body)),
        [](void* callable, int64_t begin, int64_t end, int thread) {
          (*static_cast<Callable*>(callable))(begin, end, thread);
        });
  }

 private:
  using Function = void (*)(void* callable, int64_t begin, int64_t end, int thread);

  void run(int64_t n_items, int64_t grain, void* callable, Function function);
  void work(int thread);
  void close_and_wait();
  void worker_main(int thread);
  uint32_t wait_for_loop(uint32_t seen_epoch);
  void stop_and_join();

  const int n_threads_;
  const int spins_;
  std::vector<std::thread> threads_;

  // The loop. Plain members are written only while no worker is inside it.
  void* callable_ = nullptr;
  Function function_ = nullptr;
  int64_t n_items_ = 0;
  int64_t grain_ = 1;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  bool busy_ = false;  // of the calling thread: catches a call from within a body on it

  // Own cache lines: next_ is hit by every thread for every range.
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<uint32_t> state_{0};    // workers inside, open bit, epoch of the loop
  alignas(64) std::atomic<uint32_t> emptied_{0};  // counts closed loops that a worker was the last to leave
  std::atomic<bool> stop_{false};
};

}  // namespace glint
