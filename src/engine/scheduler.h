// SPDX-License-Identifier: Apache-2.0
//
// Decides what the next step computes. Pure logic over KvPages: no model, no threads, no clock.
//
// A job is a list of ids of which the cache holds rows for the first n_tokens. Each step a job computes some of the
// rest; when none is left the caller chooses an id from the logits and appends it. So reading a prompt, generating, and
// computing again what was dropped are one thing. A job that holds a sequence is running, others wait.
//
//   plan()    admits jobs that fit; generating jobs get their one row, prompts share the rest of the step's budget
//   (the caller computes the rows)
//   finish()  remembers full pages, so that the next plan can let others have them
//
// Rules, in order of weight:
//   - A class goes before the next. While an interactive job waits for its first token, batch jobs pause (they keep
//     their pages) and no other class's prompt is read.
//   - Within a class prompts share the budget equally, and a prompt that another job reads right now is waited for.
//   - Pages: idle ones are evicted first; then the last job in order is preempted, which costs it what is evicted
//     before it runs again, never its life. The first job in order can take everything, so it always moves.
// Used by engine/batch_engine. Tested by tests/unit/engine/scheduler_test.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/sha256.h"
#include "engine/prefix_tree.h"
#include "model/kv_pages.h"

namespace glint {

enum class Priority { kInteractive, kNormal, kBatch };

/// Where a prompt parted from the nearest one that the cache knew.
struct Divergence {
  int position = 0;                 // of the first id that differs
  std::vector<int32_t> prompt_ids;  // from a few before it to a few after, of both
  std::vector<int32_t> cached_ids;
};

/// One answer in the making. The caller owns it, sets the first part, and appends to ids.
struct Job {
  Priority priority = Priority::kNormal;
  std::vector<int32_t> ids;  // the prompt, then what was chosen
  int n_prompt = 0;
  /// Of its first ids, whose rows may be taken from the cache rather than computed. The last id's never is.
  int n_reusable = std::numeric_limits<int>::max();
  bool blocked = false;  // nobody takes what it produces: it may not run, and its pages are the first to go

  // The scheduler's:
  uint64_t arrival = 0;  // 0: not known to it
  int sequence = -1;     // -1: waits
  uint64_t served = 0;   // the step that last computed something for it
  int n_prompt_computed = 0;
  int n_loaded = 0;  // pages that the PageSource gave
  std::optional<Divergence> divergence;
  std::vector<Digest> page_names;  // a PageSource's

  bool has_spoken() const { return static_cast<int>(ids.size()) > n_prompt; }
};

/// Pages that were computed in another life.
class PageSource {
 public:
  virtual ~PageSource() = default;
  /// Whether the index-th page of a job's ids is there.
  virtual bool has(Job& job, int index) = 0;
  /// Fills `page` with it; false when it is not there after all.
  virtual bool load(Job& job, int index, int32_t page) = 0;
};

struct SchedulerOptions {
  int step_tokens = 512;    // rows of one step
  int prompt_tokens = 128;  // of them for prompts when the step also generates: bounds the time between two tokens
  int loaded_pages = 16;    // of a PageSource that one step may wait for
};

class Scheduler {
 public:
  /// `pages` must outlive the scheduler and be changed by it and the decoder alone.
  Scheduler(KvPages& pages, const SchedulerOptions& options, PageSource* source = nullptr);

  /// PRECOND: 1 <= job.ids.size() <= n_ctx, also later, and the job stays where it is until removed.
  void add(Job& job);
  /// Forgets a job at once; what it computed stays for others as long as nobody needs the room.
  void remove(Job& job);

  /// Gives back the pages of a text that no job holds and no other text goes on from; returns how many tokens they held.
  int forget(std::span<const int32_t> ids) { return tree_.forget(ids); }

  /// Rows of ids[from, from + count) of a job, whose pages are reserved.
  struct Share {
    Job* job = nullptr;
    int from = 0;
    int count = 0;
    /// The logits after the last row choose the job's next id.
    bool is_last() const { return from + count == static_cast<int>(job->ids.size()); }
  };
  /// Empty when nothing can be computed. Valid until the next call.
  std::span<const Share> plan();
  /// The last plan left out a job for which the source has more pages than one step may wait for: plan again.
  bool is_loading() const { return loading_; }
  /// The rows of the last plan were written.
  void finish();
  /// The step failed: lets go of everything; all jobs wait, and nothing that was cached is believed.
  void reset();

  struct Counts {
    int n_running = 0;
    int n_waiting = 0;
    int n_pages = 0, n_free_pages = 0, n_idle_pages = 0;
    int64_t n_steps = 0, n_rows = 0;  // so far
    int64_t n_preempted = 0;
  };
  Counts counts() const;
  /// Throws InternalError when the books do not agree. For tests; between steps.
  void check_invariants() const;

 private:
  int n_tokens(const Job& job) const { return pages_.n_tokens(job.sequence); }
  int n_left(const Job& job) const { return static_cast<int>(job.ids.size()) - n_tokens(job); }
  int n_available() const { return pages_.n_free() + pages_.n_idle(); }
  bool may_run(const Job& job) const { return !job.blocked && !(hurry_ && job.priority == Priority::kBatch); }
  std::span<const int32_t> reusable_ids(const Job& job) const;

  void admit();
  bool admit_one(Job& job);
  int n_claimed(const Job& job) const;
  int free_sequence() const;
  void wait(Job& job);
  void plan_prompts(Priority priority, int& n_budget);
  bool prepare_prompt(Job& job);
  bool is_being_read(const Job& job) const;
  bool load(Job& job);
  void attach_near(Job& job);
  void note_divergence(Job& job, const PrefixTree::Match& match) const;
  int schedule(Job& job, int n_wanted);
  int n_fitting(const Job& job, int from, int n_wanted) const;
  void reserve(const Job& job, int from, int to);
  void widen(std::span<Share> shares, int& n_budget);
  bool preempt_after(const Job& job, bool same_class);
  void preempt(Job& job);

  KvPages& pages_;
  SchedulerOptions options_;
  PageSource* source_;  // may be null
  PrefixTree tree_;
  std::vector<Job*> running_;
  std::vector<Job*> waiting_;  // in order
  std::vector<Share> plan_;
  bool hurry_ = false;  // an interactive job waits for its first token
  int n_loads_ = 0;     // that this step may still do
  bool loading_ = false;
  uint64_t n_added_ = 0;
  uint64_t step_ = 0;
  int64_t n_steps_ = 0;
  int64_t n_rows_ = 0;
  int64_t n_preempted_ = 0;
};

}  // namespace glint
