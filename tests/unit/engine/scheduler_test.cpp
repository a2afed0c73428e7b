// SPDX-License-Identifier: Apache-2.0
//
// The scheduler with a cache that holds, for each row, a fingerprint of the text up to it: whatever is shared, copied,
// evicted and computed again, each row that a step would read must be that of the job's own text.
#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <numeric>
#include <random>

#include "base/check.h"

namespace glint {
namespace {

using Ids = std::vector<int32_t>;
using testing::ElementsAre;

Ids range(int from, int count) {
  Ids ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), from);
  return ids;
}
Ids joined(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

uint64_t mixed(uint64_t before, int32_t id) {
  return (before ^ static_cast<uint64_t>(id + 1)) * 0x9E3779B97F4A7C15ULL + (before >> 29);
}

/// Jobs with a scheduler and the make-believe cache; as a PageSource it has what `stored` says.
class Machine : public PageSource {
 public:
  Machine(int n_ctx, int n_sequences, SchedulerOptions options = {})
      : pages_(n_ctx, n_sequences),
        scheduler_(pages_, options, this),
        rows_(static_cast<size_t>(pages_.n_pages()) * kPageTokens, 0) {}

  Job& add(Ids ids, Priority priority = Priority::kNormal) {
    Job& job = jobs_.emplace_back();
    job.priority = priority;
    job.n_prompt = static_cast<int>(ids.size());
    job.ids = std::move(ids);
    scheduler_.add(job);
    return job;
  }
  void remove(Job& job) {
    scheduler_.remove(job);
    scheduler_.check_invariants();
  }
  int n_said(const Job& job) const { return static_cast<int>(job.ids.size()) - job.n_prompt; }

  /// One step; how many rows each job got, in the order of the plan.
  std::vector<std::pair<Job*, int>> step() {
    const std::span<const Scheduler::Share> planned = scheduler_.plan();
    return run({planned.begin(), planned.end()});
  }

  bool has(Job& job, int index) override { return stored && stored(job, index); }
  bool load(Job& job, int index, int32_t page) override {
    if (n_loads++ % 7 == 6) return false;  // damaged
    uint64_t text = 0;
    for (int i = 0; i < (index + 1) * kPageTokens; ++i) {
      text = mixed(text, job.ids[static_cast<size_t>(i)]);
      if (i >= index * kPageTokens) rows_[static_cast<size_t>(page * kPageTokens + i % kPageTokens)] = text;
    }
    return true;
  }
  std::function<bool(const Job&, int)> stored;
  int n_loads = 0;

  KvPages pages_;
  Scheduler scheduler_;
  int64_t n_copies = 0;

 private:
  uint64_t& row(int sequence, int position) {
    const int32_t page = pages_.pages(sequence)[static_cast<size_t>(position / kPageTokens)];
    return rows_[static_cast<size_t>(page * kPageTokens + position % kPageTokens)];
  }
  std::vector<std::pair<Job*, int>> run(const std::vector<Scheduler::Share>& plan) {
    std::vector<std::pair<Job*, int>> result;
    for (const Scheduler::Share& share : plan) {
      EXPECT_EQ(pages_.n_needed(share.job->sequence, share.from, share.from + share.count), 0);
    }
    for (const KvPages::Copy& copy : pages_.take_copies()) {
      std::copy_n(rows_.begin() + copy.from * kPageTokens, kPageTokens, rows_.begin() + copy.to * kPageTokens);
      ++n_copies;
    }
    for (const Scheduler::Share& share : plan) {
      Job& job = *share.job;
      uint64_t text = 0;
      for (int i = 0; i < share.from + share.count; ++i) {
        text = mixed(text, job.ids[static_cast<size_t>(i)]);
        if (i >= share.from) row(job.sequence, i) = text;
        EXPECT_EQ(row(job.sequence, i), text) << "row " << i;
      }
      pages_.written(job.sequence, share.from + share.count);
      result.emplace_back(&job, share.count);
    }
    scheduler_.finish();
    for (const Scheduler::Share& share : plan) {
      if (share.is_last())
        share.job->ids.push_back(
            static_cast<int32_t>(share.job->ids.size() * 7 + static_cast<size_t>(share.job->ids[0])));
    }
    EXPECT_NO_THROW(scheduler_.check_invariants());
    return result;
  }

  std::vector<uint64_t> rows_;
  std::list<Job> jobs_;
};

using Steps = std::vector<std::pair<Job*, int>>;

TEST(Scheduler, APromptIsReadInChunksThenAnswered) {
  Machine machine(1000, 2, {.step_tokens = 128, .prompt_tokens = 64});
  Job& job = machine.add(range(0, 300));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&job, 128)));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&job, 128)));
  EXPECT_EQ(machine.n_said(job), 0);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&job, 44)));
  EXPECT_EQ(machine.n_said(job), 1);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&job, 1)));
  EXPECT_EQ(machine.n_said(job), 2);
}

TEST(Scheduler, GeneratingJobsAreNotHeldUpByAPrompt) {
  Machine machine(2000, 3, {.step_tokens = 512, .prompt_tokens = 64});
  Job& first = machine.add(range(0, 10));
  machine.step();
  Job& second = machine.add(range(100, 500));
  for (int i = 0; i < 7; ++i) EXPECT_THAT(machine.step(), ElementsAre(std::pair(&first, 1), std::pair(&second, 64)));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&first, 1), std::pair(&second, 52)));
  EXPECT_EQ(machine.n_said(first), 9);
}

TEST(Scheduler, PromptsShareTheBudgetAndWhatIsLeftOver) {
  Machine machine(4000, 4, {.step_tokens = 512});
  Job& one = machine.add(range(0, 900));
  Job& two = machine.add(range(1000, 900));
  Job& little = machine.add(range(2000, 20));
  // Equal but for whole pages.
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&one, 192), std::pair(&two, 256), std::pair(&little, 20)));
  EXPECT_EQ(machine.n_said(little), 1);
}

TEST(Scheduler, ALongPromptDoesNotStarveNorIsStarved) {
  Machine machine(8000, 4, {.step_tokens = 64});
  Job& one = machine.add(range(0, 640));
  machine.step();
  Job& two = machine.add(range(1000, 64));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&two, 64)));  // served less recently
  machine.remove(two);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&one, 64)));
}

TEST(Scheduler, OnePrefixForManyIsReadOnce) {
  Machine machine(100000, 32, {.step_tokens = 512, .prompt_tokens = 256});
  const Ids prefix = range(0, 8192);
  for (int i = 0; i < 32; ++i) machine.add(joined(prefix, range(10000 + 100 * i, 10)));
  int n_steps = 0;
  while (machine.scheduler_.counts().n_rows < 8192) {
    machine.step();
    ASSERT_LT(++n_steps, 100);
  }
  EXPECT_EQ(n_steps, 16);  // at full speed
  for (int i = 0; i < 40; ++i) machine.step();
  // 8202 rows by the first; the others read their own ends, and few of them part of the last shared page.
  const int64_t n_said = 32 * 40;
  EXPECT_LT(machine.scheduler_.counts().n_rows - n_said, 8202 + 31 * (10 + 1) + kPageTokens);
}

TEST(Scheduler, TheSamePromptManyTimesIsReadOnceAndPagesAreShared) {
  Machine machine(2000, 8);
  const Ids prompt = range(0, 200);
  std::vector<Job*> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(&machine.add(prompt));
  machine.step();
  machine.step();
  EXPECT_EQ(machine.scheduler_.counts().n_rows, 200 + 7 + 1);
  for (Job* job : jobs) EXPECT_GE(machine.n_said(*job), 1);
  EXPECT_EQ(machine.pages_.n_pages() - machine.pages_.n_free(), 3 + 8);
  for (size_t i = 1; i < jobs.size(); ++i) EXPECT_EQ(jobs[i]->n_prompt_computed, 1);
  EXPECT_GE(machine.n_copies, 7);
}

TEST(Scheduler, ABatchJobPausesForAnInteractiveFirstToken) {
  Machine machine(2000, 4, {.step_tokens = 128, .prompt_tokens = 64});
  Job& batch = machine.add(range(0, 100), Priority::kBatch);
  Job& normal = machine.add(range(500, 20));
  machine.step();
  const int n_held = static_cast<int>(machine.pages_.pages(batch.sequence).size());
  Job& late = machine.add(range(600, 100));
  Job& quick = machine.add(range(1000, 100), Priority::kInteractive);
  // Its own prompt and what generates; no other prompt, and nothing of the batch job, which keeps its pages.
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&normal, 1), std::pair(&quick, 64)));
  EXPECT_EQ(static_cast<int>(machine.pages_.pages(batch.sequence).size()), n_held);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&normal, 1), std::pair(&quick, 36)));
  EXPECT_EQ(machine.n_said(quick), 1);
  const Steps after = machine.step();
  EXPECT_THAT(after, testing::Contains(std::pair(&batch, 1)));
  EXPECT_THAT(after, testing::Contains(std::pair(&late, 64)));
}

/// The first token costs as many rows and steps as on an idle machine.
TEST(Scheduler, BatchLoadDoesNotDelayAnInteractiveFirstToken) {
  const auto steps_to_first_token = [](int n_batch) {
    Machine machine(8000, 8, {.step_tokens = 128, .prompt_tokens = 64});
    for (int i = 0; i < n_batch; ++i) machine.add(range(1000 * i, 100 + 200 * i), Priority::kBatch);
    for (int i = 0; i < 6; ++i) machine.step();
    Job& quick = machine.add(range(100000, 500), Priority::kInteractive);
    std::vector<int> rows;
    while (machine.n_said(quick) == 0) {
      for (const auto& [job, count] : machine.step()) {
        EXPECT_EQ(job, &quick);
        rows.push_back(count);
      }
    }
    return rows;
  };
  EXPECT_THAT(steps_to_first_token(0), ElementsAre(128, 128, 128, 116));
  EXPECT_EQ(steps_to_first_token(20), steps_to_first_token(0));
}

TEST(Scheduler, AfterAFailedStepNothingCachedIsBelieved) {
  Machine machine(2000, 3);
  Job& one = machine.add(range(0, 200));
  Job& two = machine.add(range(0, 150));
  machine.step();
  machine.scheduler_.plan();
  machine.scheduler_.reset();
  EXPECT_EQ(machine.pages_.n_free(), machine.pages_.n_pages());
  EXPECT_EQ(one.sequence, -1);
  machine.remove(two);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&one, 201)));
}

TEST(Scheduler, AnInteractiveJobTakesABatchJobsPlaceAndItsKvIsKept) {
  Machine machine(2000, 2);
  Job& one = machine.add(range(0, 200), Priority::kBatch);
  Job& two = machine.add(range(300, 200), Priority::kBatch);
  for (int i = 0; i < 3; ++i) machine.step();
  Job& quick = machine.add(range(1000, 30), Priority::kInteractive);
  machine.step();
  EXPECT_EQ(machine.n_said(quick), 1);
  EXPECT_EQ(two.sequence, -1);  // the later one
  EXPECT_GE(one.sequence, 0);
  machine.remove(quick);
  const int64_t n_rows = machine.scheduler_.counts().n_rows;
  machine.step();
  EXPECT_GE(two.sequence, 0);
  EXPECT_EQ(machine.scheduler_.counts().n_rows, n_rows + 2);  // nothing had to be computed again
}

TEST(Scheduler, WhenPagesRunOutTheLastJobWaitsAndLosesNothingButTime) {
  Machine machine(4 * kPageTokens, 3);  // six pages
  std::vector<Job*> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(&machine.add(range(1000 * i, 60)));
  int n_steps = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    while (jobs[i]->arrival != 0 && machine.n_said(*jobs[i]) < 190) {
      ASSERT_FALSE(machine.step().empty());
      ASSERT_LT(++n_steps, 1000);
      for (Job* job : jobs) {
        if (job->arrival != 0 && machine.n_said(*job) >= 190) machine.remove(*job);
      }
    }
  }
  EXPECT_GT(machine.scheduler_.counts().n_preempted, 0);
  EXPECT_EQ(machine.scheduler_.counts().n_free_pages + machine.scheduler_.counts().n_idle_pages, 6);
}

TEST(Scheduler, ACancelledJobFreesItsPagesAtOnce) {
  Machine machine(4 * kPageTokens, 1);
  Job& job = machine.add(range(0, 250));
  machine.step();
  Job& other = machine.add(range(1000, 250));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&job, 1)));
  machine.remove(job);
  EXPECT_EQ(machine.pages_.n_free() + machine.pages_.n_idle(), 4);
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&other, 250)));
}

TEST(Scheduler, ABlockedJobRunsNotAndGivesWay) {
  Machine machine(4 * kPageTokens, 1);
  Job& job = machine.add(range(0, 100));
  machine.step();
  job.blocked = true;
  EXPECT_TRUE(machine.step().empty());
  EXPECT_GE(job.sequence, 0);
  Job& other = machine.add(range(1000, 100));
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&other, 100)));
  machine.remove(other);
  EXPECT_TRUE(machine.step().empty());
  job.blocked = false;
  EXPECT_EQ(machine.step().size(), 1u);
}

TEST(Scheduler, SaysWhereAPromptParted) {
  Machine machine(2000, 2);
  Job& first = machine.add(range(0, 300));
  machine.step();
  Ids other = range(0, 300);
  other[150] = 7777;
  Job& second = machine.add(other);
  Job& unrelated = machine.add(range(5000, 10));
  machine.remove(first);
  machine.step();
  ASSERT_TRUE(second.divergence.has_value());
  EXPECT_EQ(second.divergence->position, 150);
  EXPECT_THAT(second.divergence->prompt_ids, testing::Contains(7777));
  EXPECT_THAT(second.divergence->cached_ids, testing::Contains(150));
  EXPECT_EQ(second.divergence->cached_ids.front(), 138);
  EXPECT_EQ(second.n_prompt_computed, 150);
  EXPECT_FALSE(unrelated.divergence.has_value());
  Job& longer = machine.add(joined(range(0, 300), range(9000, 10)));
  machine.step();
  machine.step();
  EXPECT_FALSE(longer.divergence.has_value());
}

TEST(Scheduler, PagesOfASourceAreNotComputed) {
  Machine machine(4000, 2, {.step_tokens = 512, .loaded_pages = 4});
  machine.stored = [](const Job&, int index) { return index < 6; };
  Job& one = machine.add(range(0, 1000));
  Job& two = machine.add(range(0, 1000));
  EXPECT_THAT(machine.step(), testing::IsEmpty());
  EXPECT_TRUE(machine.scheduler_.is_loading());
  EXPECT_THAT(machine.step(), ElementsAre(std::pair(&one, 512)));
  EXPECT_FALSE(machine.scheduler_.is_loading());
  EXPECT_EQ(machine.n_loads, 6);  // for both
  machine.step();
  machine.step();
  EXPECT_EQ(one.n_prompt_computed, 1000 - 6 * kPageTokens);
  EXPECT_EQ(two.n_prompt_computed, 1);
}

/// Everything at once, in a pool that is too small: prefixes in common, cancels, priorities, readers that stop reading.
void stress(int n_ctx, int n_sequences, unsigned seed, int n_steps) {
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Machine machine(n_ctx, n_sequences, {.step_tokens = 64 + n_sequences, .prompt_tokens = 48});
  machine.stored = [](const Job& job, int index) { return (job.ids[static_cast<size_t>(index)] + index) % 3 == 0; };
  std::vector<Job*> jobs;
  std::vector<Ids> texts;
  int n_finished = 0, n_idle_steps = 0;
  for (int i = 0; i < n_steps; ++i) {
    while (jobs.size() < 3 * static_cast<size_t>(n_sequences) && below(3) != 0) {
      Ids ids;
      if (!texts.empty() && below(4) != 0) {
        const Ids& base = texts[static_cast<size_t>(below(static_cast<int>(texts.size())))];
        ids.assign(base.begin(), base.begin() + below(static_cast<int>(base.size()) + 1));
      }
      const int n_more = std::min(1 + below(100), n_ctx - static_cast<int>(ids.size()));
      for (int k = 0; k < n_more; ++k) ids.push_back(below(3));
      if (ids.empty()) continue;
      if (texts.size() < 20)
        texts.push_back(ids);
      else
        texts[static_cast<size_t>(below(20))] = ids;
      jobs.push_back(&machine.add(ids, static_cast<Priority>(below(3))));
    }
    if (machine.step().empty()) ++n_idle_steps;
    for (Job*& job : jobs) {
      if (below(50) == 0) job->blocked = !job->blocked;
      const bool done = machine.n_said(*job) >= 40 || static_cast<int>(job->ids.size()) > n_ctx;
      if (!done && static_cast<int>(job->ids.size()) < n_ctx && below(100) != 0) continue;
      n_finished += done;
      machine.remove(*job);
      job = nullptr;
    }
    std::erase(jobs, nullptr);
    ASSERT_FALSE(testing::Test::HasFailure()) << "step " << i;
  }
  EXPECT_GT(machine.n_loads, n_steps / 100);
  EXPECT_GT(n_finished, n_steps / 100);
  EXPECT_LT(n_idle_steps, n_steps / 4);
  for (Job* job : jobs) machine.remove(*job);
  const Scheduler::Counts counts = machine.scheduler_.counts();
  EXPECT_EQ(counts.n_free_pages + counts.n_idle_pages, counts.n_pages);
}

TEST(Scheduler, StressOneSequence) {
  stress(256, 1, 1, 15000);
}
TEST(Scheduler, StressFewPages) {
  stress(256, 6, 2, 15000);
}
TEST(Scheduler, StressManySequences) {
  stress(640, 16, 3, 10000);
}

}  // namespace
}  // namespace glint
