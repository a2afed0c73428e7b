// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/check.h"

namespace glint {
namespace {

constexpr int kShownIds = 12;  // on either side of where two prompts part

/// Who goes first: for admission, for pages, and (with the step last served between) within a step.
bool before(const Job& a, const Job& b) {
  return std::tie(a.priority, a.arrival) < std::tie(b.priority, b.arrival);
}

bool is_ahead(const Job* a, const Job* b) {
  return std::tie(a->priority, a->served, a->arrival) < std::tie(b->priority, b->served, b->arrival);
}

/// A chunk that does not end a prompt ends with a page, so that the page can be shared at once.
int whole_pages(int from, int count, int n_left) {
  const int end = (from + count) / kPageTokens * kPageTokens;
  return count == n_left || end <= from ? count : end - from;
}

std::vector<int32_t> around(std::span<const int32_t> ids, int position) {
  const int first = std::max(0, position - kShownIds);
  const int last = std::min(static_cast<int>(ids.size()), position + kShownIds);
  return {ids.begin() + first, ids.begin() + last};
}

}  // namespace

Scheduler::Scheduler(KvPages& pages, const SchedulerOptions& options, PageSource* source)
    : pages_(pages), options_(options), source_(source), tree_(pages) {
  GLINT_CHECK(options.prompt_tokens >= 1 && options.step_tokens > pages.n_sequences());
}

void Scheduler::add(Job& job) {
  GLINT_CHECK(job.arrival == 0 && !job.ids.empty() && static_cast<int>(job.ids.size()) <= pages_.n_ctx());
  job.arrival = ++n_added_;
  wait(job);
}

void Scheduler::wait(Job& job) {
  waiting_.insert(std::upper_bound(waiting_.begin(), waiting_.end(), &job,
                                   [](const Job* a, const Job* b) { return before(*a, *b); }),
                  &job);
}

void Scheduler::remove(Job& job) {
  if (job.sequence >= 0) {
    tree_.release(job.sequence, std::span(job.ids).first(static_cast<size_t>(n_tokens(job))));
    job.sequence = -1;
    std::erase(running_, &job);
    std::erase_if(plan_, [&](const Share& share) { return share.job == &job; });
  } else {
    std::erase(waiting_, &job);
  }
  job.arrival = 0;
}

void Scheduler::preempt(Job& job) {
  const uint64_t arrival = job.arrival;
  remove(job);
  job.arrival = arrival;
  wait(job);
  ++n_preempted_;
}

/// Sends the last running job back to wait if it comes after `job`: in class, or, with `same_class`, also in arrival.
bool Scheduler::preempt_after(const Job& job, bool same_class) {
  Job* last = nullptr;
  for (Job* other : running_) {
    const bool comes_after = other->blocked || other->priority > job.priority || (same_class && before(job, *other));
    if (other == &job || !comes_after) continue;
    if (last == nullptr || std::tuple(last->blocked, last->priority, last->arrival) <
                               std::tuple(other->blocked, other->priority, other->arrival)) {
      last = other;
    }
  }
  if (last == nullptr) return false;
  preempt(*last);
  return true;
}

int Scheduler::free_sequence() const {
  std::vector<bool> taken(static_cast<size_t>(pages_.n_sequences()), false);
  for (const Job* job : running_) taken[static_cast<size_t>(job->sequence)] = true;
  const auto found = std::find(taken.begin(), taken.end(), false);
  return found == taken.end() ? -1 : static_cast<int>(found - taken.begin());
}

/// The ids whose rows need not be computed if they are there; what the job has computed itself is among them.
std::span<const int32_t> Scheduler::reusable_ids(const Job& job) const {
  const int n_most = static_cast<int>(job.ids.size()) - 1;
  const int n_held = job.sequence >= 0 ? n_tokens(job) : 0;
  return std::span(job.ids).first(static_cast<size_t>(std::max(n_held, std::min(n_most, job.n_reusable))));
}

/// Pages for all that a job knows and a page's worth of what it will say.
int Scheduler::n_claimed(const Job& job) const {
  return pages_for(std::min<int64_t>(pages_.n_ctx(), static_cast<int64_t>(job.ids.size()) + kPageTokens));
}

/// A job is admitted when, besides what running jobs have still to come, its own pages are there. Jobs of a later
/// class, and jobs that nobody listens to, make way.
bool Scheduler::admit_one(Job& job) {
  const int sequence = free_sequence();
  if (sequence < 0) return false;
  const PrefixTree::Match match = tree_.find(sequence, reusable_ids(job), 0);
  int n_wanted = n_claimed(job) - static_cast<int>(match.full_pages.size());
  for (int32_t page : match.full_pages) n_wanted += pages_.n_holders(page) == 0;  // no longer to be evicted
  for (const Job* other : running_) {
    n_wanted += std::max(0, n_claimed(*other) - static_cast<int>(pages_.pages(other->sequence).size()));
  }
  if (!running_.empty() && n_wanted > n_available()) return false;
  std::erase(waiting_, &job);
  job.sequence = sequence;
  running_.push_back(&job);
  tree_.attach(sequence, match, /*with_near=*/false);
  if (!job.has_spoken() && job.n_prompt_computed == 0) note_divergence(job, match);
  return true;
}

void Scheduler::admit() {
  while (true) {
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), [](const Job* job) { return !job->blocked; });
    if (next == waiting_.end()) return;
    Job& job = **next;
    while (!admit_one(job)) {
      if (!preempt_after(job, /*same_class=*/false)) return;
    }
  }
}

void Scheduler::note_divergence(Job& job, const PrefixTree::Match& match) const {
  const int before_near = static_cast<int>(match.full_pages.size()) * kPageTokens;
  const int position = before_near + match.n_near;
  const auto n_near = static_cast<size_t>(match.n_near);
  // Nothing in common, or one text goes on where the other ends: they did not part.
  if (position == 0 || n_near == match.near_ids.size() || position >= static_cast<int>(job.ids.size())) return;
  if (match.near_ids[n_near] == job.ids[static_cast<size_t>(position)]) return;
  Divergence divergence{.position = position, .prompt_ids = around(job.ids, position), .cached_ids = {}};
  std::vector<int32_t> theirs(job.ids.begin(), job.ids.begin() + before_near);
  theirs.insert(theirs.end(), match.near_ids.begin(), match.near_ids.end());
  divergence.cached_ids = around(theirs, position);
  job.divergence = std::move(divergence);
}

/// A job with a row to come in this plan reads the text that this one needs next; when it has, the pages can be shared.
bool Scheduler::is_being_read(const Job& job) const {
  const int at = n_tokens(job);
  const std::span<const int32_t> held = pages_.pages(job.sequence);
  const std::span<const int32_t> mine = reusable_ids(job).subspan(static_cast<size_t>(at));
  const auto n_worth = std::min<std::ptrdiff_t>(kPageTokens / 2, static_cast<std::ptrdiff_t>(mine.size()));
  for (const Share& share : plan_) {
    const Job& other = *share.job;
    if (share.from < at || share.from >= at + kPageTokens) continue;
    if (!held.empty() && pages_.pages(other.sequence)[held.size() - 1] != held.back())
      continue;  // another text before it
    const std::span<const int32_t> theirs = std::span(other.ids).subspan(static_cast<size_t>(at));
    const auto common = std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end()).first - mine.begin();
    const bool has_it = share.from >= at + common;  // then its page can be shared now
    if (common >= n_worth && !has_it) return true;
  }
  return false;
}

/// Takes a page of which the beginning fits, of the tree or of a running job.
void Scheduler::attach_near(Job& job) {
  const int at = n_tokens(job);
  const std::span<const int32_t> wanted = reusable_ids(job);
  const PrefixTree::Match match = tree_.find(job.sequence, wanted, at);
  GLINT_CHECK(match.full_pages.empty());
  const std::span<const int32_t> mine = wanted.subspan(static_cast<size_t>(at));
  const std::span<const int32_t> held = pages_.pages(job.sequence);
  int32_t page = match.near_page;
  int n_most = match.n_near;
  for (const Job* other : running_) {
    if (other == &job || n_tokens(*other) <= at) continue;
    const std::span<const int32_t> theirs = pages_.pages(other->sequence);
    if (!held.empty() && theirs[held.size() - 1] != held.back()) continue;
    const auto first = other->ids.begin() + at;
    const auto last = other->ids.begin() + std::min(n_tokens(*other), at + kPageTokens);
    const int n = static_cast<int>(std::mismatch(first, last, mine.begin(), mine.end()).first - first);
    if (n <= n_most) continue;
    n_most = n;
    page = theirs[held.size()];
  }
  if (n_most == 0) return;
  // Writing on will take a page to copy it to.
  if (n_available() - (pages_.n_holders(page) == 0) < 1) return;
  if (page == match.near_page) {
    tree_.attach(job.sequence, match, /*with_near=*/true);
  } else {
    pages_.attach(job.sequence, std::span(&page, 1), at + n_most);
  }
}

/// Takes over what has been computed since; false when the job had better wait a step.
bool Scheduler::prepare_prompt(Job& job) {
  if (n_tokens(job) % kPageTokens != 0) return true;
  const PrefixTree::Match match = tree_.find(job.sequence, reusable_ids(job), n_tokens(job));
  if (!match.full_pages.empty()) tree_.attach(job.sequence, match, /*with_near=*/false);
  if (is_being_read(job) || !load(job)) {
    job.served = step_;
    return false;
  }
  attach_near(job);
  return true;
}

/// Takes what the source has of the pages that come next; false when there is more than one step may wait for.
bool Scheduler::load(Job& job) {
  if (source_ == nullptr) return true;
  const int n_reusable = static_cast<int>(reusable_ids(job).size());
  for (int at = n_tokens(job); at + kPageTokens <= n_reusable; at += kPageTokens) {
    const int index = at / kPageTokens;
    if (!source_->has(job, index) || n_fitting(job, at, kPageTokens) < kPageTokens) return true;
    if (n_loads_ == 0) {
      loading_ = true;
      return false;
    }
    --n_loads_;
    reserve(job, at, at + kPageTokens);
    if (!source_->load(job, index, pages_.pages(job.sequence).back())) {
      pages_.truncate(job.sequence, at);
      return true;
    }
    ++job.n_loaded;
    pages_.written(job.sequence, at + kPageTokens);
    tree_.insert_full(job.sequence, std::span(job.ids).first(static_cast<size_t>(at + kPageTokens)));
  }
  return true;
}

/// How many of n_wanted tokens have room without taking pages from anybody.
int Scheduler::n_fitting(const Job& job, int from, int n_wanted) const {
  int n = n_wanted;
  while (n > 0 && pages_.n_needed(job.sequence, from, from + n) > n_available()) {
    n = (pages_for(from + n) - 1) * kPageTokens - from;
  }
  return std::max(n, 0);
}

void Scheduler::reserve(const Job& job, int from, int to) {
  while (pages_.n_needed(job.sequence, from, to) > pages_.n_free()) GLINT_CHECK(tree_.evict_one());
  pages_.reserve(job.sequence, from, to);
}

/// Plans up to n_wanted rows of a job and returns how many.
int Scheduler::schedule(Job& job, int n_wanted) {
  const int from = n_tokens(job);
  int n = n_fitting(job, from, n_wanted);
  while (n == 0) {
    if (!preempt_after(job, /*same_class=*/true)) return 0;
    n = n_fitting(job, from, n_wanted);
  }
  n = whole_pages(from, n, n_left(job));
  reserve(job, from, from + n);
  plan_.push_back({&job, from, n});
  job.served = step_;
  return n;
}

/// Gives what is left of the budget to prompts that are planned already: equally, then what whole pages leave over.
void Scheduler::widen(std::span<Share> shares, int& n_budget) {
  for (const bool equally : {true, false}) {
    for (size_t i = 0; i < shares.size() && n_budget > 0; ++i) {
      Share& share = shares[i];
      const int n_offered = equally ? n_budget / static_cast<int>(shares.size() - i) : n_budget;
      const int n_more = std::min(n_left(*share.job) - share.count, n_offered);
      const int n_all =
          whole_pages(share.from, n_fitting(*share.job, share.from, share.count + n_more), n_left(*share.job));
      if (n_all <= share.count) continue;
      reserve(*share.job, share.from, share.from + n_all);
      n_budget -= n_all - share.count;
      share.count = n_all;
    }
  }
}

void Scheduler::plan_prompts(Priority priority, int& n_budget) {
  std::vector<Job*> prompts;
  for (Job* job : running_) {
    if (job->priority == priority && may_run(*job) && n_left(*job) > 1) prompts.push_back(job);
  }
  const size_t n_planned = plan_.size();
  for (size_t i = 0; i < prompts.size() && n_budget > 0; ++i) {
    Job& job = *prompts[i];
    if (job.sequence < 0 || !prepare_prompt(job)) continue;  // preempted meanwhile, or waits for another
    const int share = std::max(kPageTokens, n_budget / static_cast<int>(prompts.size() - i));
    n_budget -= schedule(job, std::min({n_left(job), share, n_budget}));
  }
  // A preemption may have taken out shares of before.
  if (plan_.size() > n_planned) widen(std::span(plan_).subspan(n_planned), n_budget);
}

std::span<const Scheduler::Share> Scheduler::plan() {
  plan_.clear();
  ++step_;
  n_loads_ = options_.loaded_pages;
  loading_ = false;
  const auto hurries = [](const Job* job) {
    return job->priority == Priority::kInteractive && !job->blocked && !job->has_spoken();
  };
  hurry_ =
      std::any_of(running_.begin(), running_.end(), hurries) || std::any_of(waiting_.begin(), waiting_.end(), hurries);
  admit();
  std::sort(running_.begin(), running_.end(), is_ahead);
  for (Job* job : std::vector<Job*>(running_)) {
    if (job->sequence >= 0 && may_run(*job) && n_left(*job) == 1) schedule(*job, 1);
  }
  const int n_generating = static_cast<int>(plan_.size());
  int n_budget = options_.step_tokens - n_generating;
  if (n_generating > 0) n_budget = std::min(n_budget, options_.prompt_tokens);
  for (Priority priority : {Priority::kInteractive, Priority::kNormal, Priority::kBatch}) {
    if (hurry_ && priority != Priority::kInteractive) break;
    plan_prompts(priority, n_budget);
  }
  return plan_;
}

void Scheduler::finish() {
  ++n_steps_;
  for (const Share& share : plan_) {
    Job& job = *share.job;
    n_rows_ += share.count;
    if (!job.has_spoken()) job.n_prompt_computed += share.count;
    tree_.insert_full(job.sequence, std::span(job.ids).first(static_cast<size_t>(n_tokens(job))));
  }
  plan_.clear();
}

void Scheduler::reset() {
  plan_.clear();
  for (Job* job : std::vector<Job*>(running_)) preempt(*job);
  while (tree_.evict_one()) {
  }
}

Scheduler::Counts Scheduler::counts() const {
  return {.n_running = static_cast<int>(running_.size()),
          .n_waiting = static_cast<int>(waiting_.size()),
          .n_pages = pages_.n_pages(),
          .n_free_pages = pages_.n_free(),
          .n_idle_pages = pages_.n_idle(),
          .n_steps = n_steps_,
          .n_rows = n_rows_,
          .n_preempted = n_preempted_};
}

void Scheduler::check_invariants() const {
  pages_.check_invariants();
  tree_.check_invariants();
  std::set<int> sequences;
  for (const Job* job : running_) {
    GLINT_CHECK(sequences.insert(job->sequence).second);
    GLINT_CHECK(n_left(*job) >= 1 || job->blocked);
    GLINT_CHECK(pages_for(n_tokens(*job)) == static_cast<int>(pages_.pages(job->sequence).size()));
  }
  for (int sequence = 0; sequence < pages_.n_sequences(); ++sequence) {
    if (!sequences.contains(sequence)) GLINT_CHECK(pages_.pages(sequence).empty());
  }
  for (const Job* job : waiting_) GLINT_CHECK(job->sequence < 0);
  GLINT_CHECK(
      std::is_sorted(waiting_.begin(), waiting_.end(), [](const Job* a, const Job* b) { return before(*a, *b); }));
}

}  // namespace glint
