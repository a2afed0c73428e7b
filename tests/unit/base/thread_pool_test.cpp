// SPDX-License-Identifier: Apache-2.0
//
// The thread pool: every item once, exceptions, reuse, stop. Meant to be run under ThreadSanitizer as well.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/check.h"

namespace glint {
namespace {

class ThreadPoolSizes : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolSizes, EveryItemIsVisitedOnceInRangesOfAtMostTheGrain) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (int64_t n_items : {0, 1, 2, 7, 64, 1000}) {
    for (int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(n_items));
      std::atomic<bool> sane = true;
      pool.parallel_for(n_items, grain, [&](int64_t begin, int64_t end, int thread) {
        if (end - begin > grain || begin >= end || thread < 0 || thread >= GetParam()) sane = false;
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      EXPECT_TRUE(sane);
      for (const auto& count : visits) EXPECT_EQ(count, 1);
    }
  }
}

TEST_P(ThreadPoolSizes, ManyShortLoopsWithScratchPerThread) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> sums(static_cast<size_t>(GetParam()));  // plain: a thread's number is its own
  std::vector<int64_t> plain(100);
  for (int loop = 0; loop < 3000; ++loop) {
    pool.parallel_for(100, 1, [&](int64_t begin, int64_t, int thread) {
      sums[static_cast<size_t>(thread)] += begin;
      plain[static_cast<size_t>(begin)] += loop;
    });
  }
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), 3000 * 4950);
  for (int64_t value : plain) EXPECT_EQ(value, 3000 * 2999 / 2);
}

TEST_P(ThreadPoolSizes, AnExceptionReachesTheCallerAndThePoolLivesOn) {
  ThreadPool pool(GetParam());
  for (int loop = 0; loop < 50; ++loop) {
    EXPECT_THROW(pool.parallel_for(1000, 1,
                                   [&](int64_t begin, int64_t, int) {
                                     if (begin == 10 + loop) throw std::runtime_error("in a body");
                                   }),
                 std::runtime_error);
    std::atomic<int> count = 0;
    pool.parallel_for(20, 1, [&](int64_t, int64_t, int) { ++count; });
    EXPECT_EQ(count, 20);
  }
}

TEST_P(ThreadPoolSizes, WorksAfterItsThreadsHaveParked) {
  ThreadPool pool(GetParam(), 0);  // no spinning: threads park at once
  for (int loop = 0; loop < 20; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> count = 0;
    pool.parallel_for(50, 1, [&](int64_t, int64_t, int) { ++count; });
    EXPECT_EQ(count, 50);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolSizes, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, WorkReachesOtherThreads) {
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  // Both items wait for each other, so this ends only if two threads take one each.
  pool.parallel_for(2, 1, [&](int64_t, int64_t, int) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, AnIdlePoolUsesNoProcessorTime) {
  ThreadPool pool(4);
  pool.parallel_for(8, 1, [](int64_t, int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // far longer than the spin
  const std::clock_t before = std::clock();                     // processor time of the whole process
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 20);
}

TEST(ThreadPool, RefusesImpossibleCounts) {
  EXPECT_THROW(ThreadPool(0), Error);
  EXPECT_THROW(ThreadPool(-3), Error);
  EXPECT_THROW(ThreadPool(ThreadPool::kMaxThreads + 1), Error);
}

TEST(ThreadPool, NestedLoopsAreRefused) {
  ThreadPool pool(2);
  EXPECT_THROW(
      pool.parallel_for(4, 1, [&](int64_t, int64_t, int) { pool.parallel_for(4, 1, [](int64_t, int64_t, int) {}); }),
      InternalError);
}

}  // namespace
}  // namespace glint
