// SPDX-License-Identifier: Apache-2.0
#include "engine/batch_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/thread_pool.h"
#include "engine/guide.h"
#include "engine/model_fingerprint.h"
#include "engine/pooler.h"
#include "engine/stored_pages.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

constexpr int kMostCompletions = 128;

/// What the last logits led to.
struct Choice {
  int32_t id = -1;
  std::optional<TokenLogprobs> logprobs;
  std::string error;  // of the answer's own sampler or constraint: nobody else's concern
};

/// One completion, from submit() to its last event.
struct Answer : Job {
  Answer(const Vocab* vocab, const GenerateOptions& output, Sampler chooser)
      : generation(vocab, output), sampler(std::move(chooser)), guide(output, vocab) {}

  Generation generation;
  Sampler sampler;
  Guide guide;
  std::optional<Pooler> pooler;  // of a request for an embedding
  std::shared_ptr<EventQueue> events;
  int completion = 0;
  int n_logprobs = -1;
  Choice choice;
  CacheTask cache_task = CacheTask::kNone;
  int n_stored = 0;  // Finish's
  int64_t n_stored_bytes = 0;
  std::vector<int> message_ends;
  Clock::time_point submitted = Clock::now();
  std::optional<Clock::time_point> begun, spoke;  // its first step; its first choice
  bool finished = false;
};

/// The pages before the last are what a restored text is there for; they are not computed.
bool lacks_pages(const Answer& answer, int n_cached) {
  const int n_whole = (static_cast<int>(answer.ids.size()) - 1) / kPageTokens * kPageTokens;
  return answer.cache_task == CacheTask::kRestore && n_cached < n_whole;
}

int message_at(const std::vector<int>& message_ends, int position) {
  const auto end = std::upper_bound(message_ends.begin(), message_ends.end(), position);
  return end == message_ends.end() ? -1 : static_cast<int>(end - message_ends.begin());
}

/// Answers whose next ids one thread chooses where few logits decide.
constexpr int kBriefChoices = 8;

/// What is known of the logits from which an answer's next id is chosen: all, or the largest that decide.
struct KnownLogits {
  std::span<const float> all;
  std::vector<Candidate> largest;
};

/// How many of the largest logits decide what the answer says next; 0: all are wanted.
int n_deciding(const Answer& answer, size_t n_vocab) {
  if (answer.n_logprobs >= 0) return 0;
  const int n = answer.guide.n_deciding(answer.sampler);
  return n > kMostTop || static_cast<size_t>(n) > n_vocab ? 0 : n;
}

/// On any thread; touches this answer alone.
void choose(Answer& answer, const KnownLogits& known) {
  answer.choice = {};
  if (answer.generation.is_over()) return;  // it was to say nothing
  try {
    const std::span<const float> logits = known.all;
    const int32_t id = known.largest.empty()
                           ? answer.guide.choose(answer.sampler, logits)
                           : answer.guide.choose(answer.sampler, std::span<const Candidate>(known.largest));
    answer.choice.id = id;
    if (answer.n_logprobs >= 0) {
      answer.choice.logprobs = {.chosen = log_probability(logits, id),
                                .top = top_log_probabilities(logits, answer.n_logprobs)};
    }
  } catch (const std::exception& error) {
    answer.choice.error = error.what();
  }
}

}  // namespace

class BatchEngine::Impl {
 public:
  Impl(Engine opened, const BatchOptions& options)
      : engine_(std::move(opened)),
        options_(options),
        store_(make_store(engine_, options)),
        scheduler_(engine_.decoder().cache().pages(), scheduler_options(engine_, options), store_.get()),
        choosers_(engine_.options().n_threads, /*spins=*/0),
        thread_([this] { work(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    bell_->ring();
    thread_.join();
  }

  std::unique_ptr<Stream> submit(Request request);
  Status status() const {
    const std::lock_guard lock(mutex_);
    return {n_open_, counts_};
  }
  const Engine& engine() const { return engine_; }
  const BatchOptions& options() const { return options_; }
  const Digest& fingerprint() const { return store_->fingerprint(); }
  void flush_store() {
    if (store_) store_->flush();
  }

 private:
  static SchedulerOptions scheduler_options(const Engine& engine, const BatchOptions& options);
  static std::unique_ptr<StoredPages> make_store(Engine& engine, const BatchOptions& options);
  void check(const Request& request) const;

  // The engine's thread alone:
  void work();
  bool take_submitted();
  void sweep();
  bool step();
  void compute(std::span<const Scheduler::Share> plan, std::span<Answer* const> speakers);
  std::vector<KnownLogits> find_logits(std::span<const int> last_rows, std::span<Answer* const> speakers);
  /// fn(0) to fn(n - 1) on the choosers, `grain` at a time.
  template <class Function>
  void for_each(size_t n, int grain, Function&& fn) {
    choosers_.parallel_for(static_cast<int64_t>(n), grain, [&](int64_t begin, int64_t end, int) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) fn(i);
    });
  }
  void pool(std::span<const Scheduler::Share> plan);
  void speak(Answer& answer);
  void account_for(Answer& answer);
  void push_when_saved(Answer& answer, Event last);
  void finish(Answer& answer, FinishReason reason, std::string error = {});
  /// Lets the readers have what they were told since the last time.
  void send() { sender_.send(std::exchange(outbox_, {})); }
  CacheReport report(const Answer& answer) const;

  Engine engine_;
  BatchOptions options_;
  std::shared_ptr<Doorbell> bell_ = std::make_shared<Doorbell>();

  mutable std::mutex mutex_;  // over the next three and counts_
  std::list<std::unique_ptr<Answer>> submitted_;
  int n_open_ = 0;  // answers that have not finished
  bool stopping_ = false;

  // The engine's thread alone:
  std::unique_ptr<StoredPages> store_;  // may be null
  Scheduler scheduler_;
  std::list<std::unique_ptr<Answer>> answers_;
  std::vector<Row> rows_;
  ThreadPool choosers_;
  std::vector<EventSender::Letter> outbox_;
  EventSender sender_;

  Scheduler::Counts counts_ = scheduler_.counts();  // after the last step
  std::thread thread_;  // last: it uses all of the above
};

SchedulerOptions BatchEngine::Impl::scheduler_options(const Engine& engine, const BatchOptions& options) {
  const int n_ubatch = engine.options().n_ubatch;
  if (n_ubatch <= engine.options().n_sequences) {
    fail("a step of {} tokens is too short for {} answers at once; raise it with -ub", n_ubatch,
         engine.options().n_sequences);
  }
  if (options.prompt_tokens < 1 || options.loaded_pages < 1 || options.n_buffered_events < 1 || options.n_queued < 0)
    fail("batch options must be positive");
  return {.step_tokens = n_ubatch, .prompt_tokens = options.prompt_tokens, .loaded_pages = options.loaded_pages};
}

std::unique_ptr<StoredPages> BatchEngine::Impl::make_store(Engine& engine, const BatchOptions& options) {
  if (options.store.folder.empty()) return nullptr;
  const Digest fingerprint =
      model_fingerprint(engine.file(), engine.model().spec, engine.decoder().options(), engine.options().backend);
  return std::make_unique<StoredPages>(options.store, fingerprint, engine.decoder().cache());
}

void BatchEngine::Impl::check(const Request& request) const {
  const auto refuse = [](RequestError::Kind kind, const std::string& message) { throw RequestError(kind, message); };
  using Kind = RequestError::Kind;
  if (request.ids.empty()) refuse(Kind::kInvalid, "the prompt is empty");
  if (static_cast<int64_t>(request.ids.size()) > engine_.n_ctx()) {
    refuse(Kind::kContextLength,
           fmt::format("the prompt has {} tokens and the context {}; shorten it, or raise the context with -c",
                       request.ids.size(), engine_.n_ctx()));
  }
  for (int32_t id : request.ids) {
    if (id >= 0 && id < engine_.model().spec.n_vocab) continue;
    refuse(Kind::kInvalid,
           fmt::format("token id {} is outside the vocabulary of {}", id, engine_.model().spec.n_vocab));
  }
  for (const auto& [id, bias] : request.sampling.params.logit_bias) {
    if (id < 0 || id >= engine_.model().spec.n_vocab)
      refuse(Kind::kInvalid, fmt::format("logit_bias: {} is not a token id", id));
  }
  const GenerateOptions& output = request.output;
  if ((output.constraint || output.thinking_budget) && !engine_.has_vocabulary()) {
    refuse(Kind::kInvalid, "to bind an answer takes a vocabulary, and the file has none");
  }
  if (output.thinking_budget) {
    for (int32_t id : output.thinking_budget->end_ids) {
      if (id < 0 || id >= engine_.tokenizer().vocab().size())
        refuse(Kind::kInvalid, fmt::format("thinking budget: {} is not a token id", id));
    }
  }
  if (request.n < 1 || request.n > kMostCompletions) {
    refuse(Kind::kInvalid, fmt::format("n is {}; allowed is 1 to {}", request.n, kMostCompletions));
  }
  const bool needs_store = request.cache_task == CacheTask::kSave || request.cache_task == CacheTask::kRestore;
  if (needs_store && !store_) refuse(Kind::kInvalid, "there is no store to keep pages in");
  if (request.cache_task != CacheTask::kNone && request.n != 1) refuse(Kind::kInvalid, "a cache task is one: n must be 1");
  if (request.pooling && request.n != 1) refuse(Kind::kInvalid, "an embedding is one: n must be 1");
  if (request.n_logprobs < -1 || request.n_logprobs > engine_.model().spec.n_vocab) {
    refuse(Kind::kInvalid, fmt::format("logprobs is {}; allowed is 0 to the vocabulary of {}", request.n_logprobs,
                                       engine_.model().spec.n_vocab));
  }
  if (!std::is_sorted(request.message_ends.begin(), request.message_ends.end())) {
    refuse(Kind::kInvalid, "message_ends are not ascending");
  }
}

std::unique_ptr<Stream> BatchEngine::Impl::submit(Request request) {
  check(request);
  if (request.pooling || request.cache_task != CacheTask::kNone) request.output.n_predict = 0;
  SamplingParams& params = request.sampling.params;
  const SamplerVocab facts =
      engine_.sampler_vocab(request.output.ignore_eos,
                            *params.dry_multiplier > 0 ? *params.dry_sequence_breakers : std::vector<std::string>{});
  const auto events = std::make_shared<EventQueue>(request.n, static_cast<size_t>(options_.n_buffered_events), bell_);
  const int64_t seed = *params.seed;
  std::list<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < request.n; ++i) {
    if (seed >= 0)
      params.seed = static_cast<int64_t>((static_cast<uint64_t>(seed) + static_cast<uint64_t>(i)) & INT64_MAX);
    auto answer = std::make_unique<Answer>(engine_.has_vocabulary() ? &engine_.tokenizer().vocab() : nullptr,
                                           request.output, Sampler(request.sampling, facts));
    for (int32_t id : request.ids) answer->sampler.accept(id);
    answer->priority = request.priority;
    answer->ids = request.ids;
    answer->n_prompt = static_cast<int>(request.ids.size());
    answer->events = events;
    answer->completion = i;
    answer->n_logprobs = request.n_logprobs;
    answer->cache_task = request.cache_task;
    answer->message_ends = request.message_ends;
    if (request.pooling) {
      answer->pooler.emplace(*request.pooling, answer->n_prompt);
      answer->n_reusable = answer->pooler->n_skipped();
    }
    answers.push_back(std::move(answer));
  }
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw RequestError(RequestError::Kind::kShutDown, "the engine is shutting down");
    const int n_most = engine_.options().n_sequences + options_.n_queued;
    if (n_open_ + request.n > n_most) {
      throw RequestError(
          RequestError::Kind::kQueueFull,
          fmt::format("{} answers are running or waiting and {} is the most; try again later", n_open_, n_most));
    }
    n_open_ += request.n;
    submitted_.splice(submitted_.end(), answers);
  }
  bell_->ring();
  return std::make_unique<Stream>(events);
}

/// False when it is time to stop.
bool BatchEngine::Impl::take_submitted() {
  std::list<std::unique_ptr<Answer>> taken;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      answers_.splice(answers_.end(), submitted_);
      return false;
    }
    taken.swap(submitted_);
  }
  for (const auto& answer : taken) {
    if (answer->cache_task == CacheTask::kErase) {
      answer->n_stored = scheduler_.forget(answer->ids);
      finish(*answer, FinishReason::kLimit);
    } else {
      scheduler_.add(*answer);
    }
  }
  answers_.splice(answers_.end(), taken);
  return true;
}

/// Ends what was cancelled, and forgets what has ended; pauses answers whose readers are behind.
void BatchEngine::Impl::sweep() {
  for (const auto& answer : answers_) {
    answer->blocked = answer->events->is_full();
    if (!answer->finished && answer->events->is_cancelled()) finish(*answer, FinishReason::kCancelled);
  }
  answers_.remove_if([](const auto& answer) { return answer->finished; });
}

void BatchEngine::Impl::work() {
  std::string error;
  try {
    while (take_submitted()) {
      sweep();
      const bool did_something = step();
      send();
      if (options_.check_invariants) scheduler_.check_invariants();
      {
        const std::lock_guard lock(mutex_);
        counts_ = scheduler_.counts();
      }
      if (!did_something) bell_->wait();
    }
  } catch (const std::exception& bug) {  // books that are wrong cannot be worked with, but readers must not hang
    error = bug.what();
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  take_submitted();
  for (const auto& answer : answers_) {
    answer->arrival = 0;  // the scheduler has had its day
    if (!answer->finished) finish(*answer, error.empty() ? FinishReason::kCancelled : FinishReason::kError, error);
  }
  send();
}

/// Plans and computes one step; false when there is nothing to do.
bool BatchEngine::Impl::step() {
  const std::span<const Scheduler::Share> planned = scheduler_.plan();
  std::vector<Scheduler::Share> plan(planned.begin(), planned.end());  // finishing answers change the scheduler's
  if (plan.empty()) return scheduler_.is_loading();
  std::erase_if(plan, [&](const Scheduler::Share& share) {
    auto& answer = static_cast<Answer&>(*share.job);
    if (!lacks_pages(answer, share.from)) return false;
    finish(answer, FinishReason::kLimit);
    return true;
  });
  if (plan.empty()) return true;
  std::vector<Answer*> speakers;
  std::vector<int> last_rows;
  int n_rows = 0;
  for (const Scheduler::Share& share : plan) {
    auto& answer = static_cast<Answer&>(*share.job);
    if (!answer.begun) {
      answer.begun = Clock::now();
      answer.events->progress(answer.completion).n_cached = share.from;
    }
    n_rows += share.count;
    if (!share.is_last()) continue;
    speakers.push_back(&answer);
    last_rows.push_back(n_rows - 1);
  }
  std::vector<KnownLogits> known;
  try {
    compute(plan, speakers);
    known = find_logits(last_rows, speakers);
  } catch (const std::exception& error) {
    scheduler_.reset();
    for (const Scheduler::Share& share : plan)
      finish(static_cast<Answer&>(*share.job), FinishReason::kError, error.what());
    return true;
  }
  scheduler_.finish();
  for (const Scheduler::Share& share : plan) {
    const auto& answer = static_cast<const Answer&>(*share.job);
    answer.events->progress(answer.completion).n_read = share.from + share.count;
  }
  if (store_) {
    for (const Scheduler::Share& share : plan) store_->save(*share.job, share.from, share.from + share.count);
  }
  // A choice may look at the whole vocabulary and concerns one answer; what it leads to concerns all. Of a few largest
  // logits several are made sooner than another thread wakes.
  const bool all_brief = std::ranges::none_of(known, [](const KnownLogits& of) { return of.largest.empty(); });
  for_each(speakers.size(), all_brief ? kBriefChoices : 1, [&](size_t i) { choose(*speakers[i], known[i]); });
  for (Answer* answer : speakers) speak(*answer);
  return true;
}

void BatchEngine::Impl::compute(std::span<const Scheduler::Share> plan, std::span<Answer* const> speakers) {
  rows_.clear();
  for (const Scheduler::Share& share : plan) {
    for (int i = share.from; i < share.from + share.count; ++i) {
      rows_.push_back({share.job->ids[static_cast<size_t>(i)], i, share.job->sequence});
    }
  }
  engine_.decoder().forward(rows_);
  pool(plan);
  // While the device computes, what may come is found out.
  std::vector<Guide*> bound;
  for (Answer* speaker : speakers) {
    if (speaker->guide.is_bound()) bound.push_back(&speaker->guide);
  }
  if (!bound.empty()) for_each(bound.size(), 1, [&](size_t i) { bound[i]->prepare(); });
}

/// What each speaker has to know of the logits of its last row.
std::vector<KnownLogits> BatchEngine::Impl::find_logits(std::span<const int> last_rows,
                                                        std::span<Answer* const> speakers) {
  Decoder& decoder = engine_.decoder();
  const auto n_vocab = static_cast<size_t>(engine_.model().spec.n_vocab);
  std::vector<KnownLogits> known(speakers.size());
  std::vector<size_t> brief, whole;  // speakers
  std::vector<int> rows;
  int k = 0;
  for (size_t i = 0; i < speakers.size(); ++i) {
    const int n = decoder.prefers_top() ? n_deciding(*speakers[i], n_vocab) : 0;
    k = std::max(k, n);
    (n > 0 ? brief : whole).push_back(i);
    if (n > 0) rows.push_back(last_rows[i]);
  }
  if (!brief.empty()) {
    const std::span<const TopEntry> top = decoder.top_logits(rows, k);
    for (size_t i = 0; i < brief.size(); ++i) {
      std::vector<Candidate>& largest = known[brief[i]].largest;
      for (const TopEntry& entry : top.subspan(i * static_cast<size_t>(k), static_cast<size_t>(k))) {
        if (!std::isfinite(entry.value)) break;
        largest.push_back({entry.index, entry.value});
      }
      // The sampler says what is wrong with such a row, and may still find something in it.
      if (largest.size() < static_cast<size_t>(k)) {
        largest.clear();
        whole.push_back(brief[i]);
      }
    }
  }
  if (whole.empty()) return known;
  rows.clear();
  for (size_t i : whole) rows.push_back(last_rows[i]);
  const std::span<const float> logits = decoder.logits(rows);
  for (size_t i = 0; i < whole.size(); ++i) known[whole[i]].all = logits.subspan(i * n_vocab, n_vocab);
  return known;
}

/// Hands the step's rows to those who make embeddings of them.
void BatchEngine::Impl::pool(std::span<const Scheduler::Share> plan) {
  int first_row = 0;
  for (const Scheduler::Share& share : plan) {
    auto& answer = static_cast<Answer&>(*share.job);
    if (answer.pooler) {
      const std::vector<int> positions = answer.pooler->wanted(share.from, share.count);
      std::vector<int> rows;
      for (int position : positions) rows.push_back(first_row + position - share.from);
      if (!rows.empty()) answer.pooler->add(positions, engine_.decoder().hidden(rows));
    }
    first_row += share.count;
  }
}

/// All of an answer's rows are computed and its next id is chosen.
void BatchEngine::Impl::speak(Answer& answer) {
  if (!answer.spoke) answer.spoke = Clock::now();
  Generation& generation = answer.generation;
  if (!answer.choice.error.empty()) {
    finish(answer, FinishReason::kError, std::move(answer.choice.error));
    return;
  }
  if (!generation.is_over()) {
    Event event{.completion = answer.completion,
                .id = answer.choice.id,
                .text = generation.push(answer.choice.id),
                .logprobs = std::move(answer.choice.logprobs),
                .finish = {}};
    const bool is_output = generation.result().end_id < 0;
    if (answer.guide.is_over()) generation.stop(FinishReason::kEndOfText);
    // The last id of an answer is not computed, so it may be one more than the context has.
    if (static_cast<int>(answer.ids.size()) >= engine_.n_ctx()) generation.stop(FinishReason::kContextFull);
    if (!generation.is_over()) answer.ids.push_back(event.id);
    if (is_output) {
      ++answer.events->progress(answer.completion).n_written;
      outbox_.push_back({answer.events, std::move(event)});
    }
  }
  if (generation.is_over()) finish(answer, generation.result().reason);
}

/// What a cache task has come to, while the answer still has its pages.
void BatchEngine::Impl::account_for(Answer& answer) {
  if (answer.cache_task == CacheTask::kRestore && answer.sequence >= 0) {
    answer.n_stored = engine_.decoder().cache().pages().n_tokens(answer.sequence);
    answer.n_stored_bytes = answer.n_loaded * store_->file_bytes();
  }
  if (answer.cache_task == CacheTask::kSave && answer.spoke) store_->save_all(answer);
}

/// Tells the reader once all is on disk, and how much of the text that is.
void BatchEngine::Impl::push_when_saved(Answer& answer, Event last) {
  const auto event = std::make_shared<Event>(std::move(last));
  const int n_tokens = static_cast<int>(answer.ids.size());
  store_->when_saved(answer, [event, n_tokens, events = answer.events, bytes = store_->file_bytes()](int n_pages) {
    event->finish->n_stored = n_pages == n_tokens / kPageTokens ? n_tokens : n_pages * kPageTokens;
    event->finish->n_stored_bytes = n_pages * bytes;
    events->push(std::move(*event));
  });
}

void BatchEngine::Impl::finish(Answer& answer, FinishReason reason, std::string error) {
  account_for(answer);
  if (store_) store_->note_used(answer);
  if (answer.arrival != 0) scheduler_.remove(answer);  // else it was submitted too late to be known there
  answer.finished = true;
  const Clock::time_point now = Clock::now();
  Generation& generation = answer.generation;
  generation.stop(reason);
  Event event{
      .completion = answer.completion, .id = -1, .text = generation.finish(), .logprobs = {}, .finish = Finish{}};
  Finish& finish = *event.finish;
  finish.reason = generation.result().reason;
  finish.end_id = generation.result().end_id;
  finish.stopping_string = generation.result().stopping_string;
  finish.error = std::move(error);
  finish.cache = report(answer);
  finish.n_stored = answer.n_stored;
  finish.n_stored_bytes = answer.n_stored_bytes;
  if (answer.pooler && answer.spoke) finish.embedding = answer.pooler->take();
  const Clock::time_point begun = answer.begun.value_or(now), spoke = answer.spoke.value_or(now);
  finish.queue_seconds = seconds_between(answer.submitted, begun);
  finish.timings = {.n_cached = finish.cache.n_cached,
                    .n_prompt = answer.n_prompt_computed,
                    .prompt_seconds = seconds_between(begun, spoke),
                    .n_predicted = static_cast<int>(generation.result().ids.size()),
                    .predicted_seconds = seconds_between(spoke, now)};
  {
    const std::lock_guard lock(mutex_);
    --n_open_;
    counts_ = scheduler_.counts();
  }
  if (answer.cache_task == CacheTask::kSave && answer.spoke) {
    push_when_saved(answer, std::move(event));
  } else {
    outbox_.push_back({answer.events, std::move(event)});
  }
}

CacheReport BatchEngine::Impl::report(const Answer& answer) const {
  // An answer that was cancelled early may have seen neither cache nor model; one that was preempted read some twice.
  CacheReport report{.n_prompt = answer.n_prompt, .n_cached = 0, .parting = {}};
  if (answer.spoke) report.n_cached = std::max(0, answer.n_prompt - answer.n_prompt_computed);
  if (!answer.divergence) return report;
  const auto text = [&](const std::vector<int32_t>& ids) {
    return engine_.has_vocabulary() ? engine_.tokenizer().decode(ids) : std::string();
  };
  report.parting = {.position = answer.divergence->position,
                    .message = message_at(answer.message_ends, answer.divergence->position),
                    .prompt_text = text(answer.divergence->prompt_ids),
                    .cached_text = text(answer.divergence->cached_ids)};
  return report;
}

BatchEngine::BatchEngine(Engine engine, const BatchOptions& options)
    : impl_(std::make_unique<Impl>(std::move(engine), options)) {}
BatchEngine::~BatchEngine() = default;
std::unique_ptr<Stream> BatchEngine::submit(Request request) {
  return impl_->submit(std::move(request));
}
BatchEngine::Status BatchEngine::status() const {
  return impl_->status();
}
const Engine& BatchEngine::engine() const {
  return impl_->engine();
}
const std::string& BatchEngine::store_folder() const {
  return impl_->options().store.folder;
}
const Digest& BatchEngine::fingerprint() const {
  return impl_->fingerprint();
}
void BatchEngine::flush_store() {
  impl_->flush_store();
}

}  // namespace glint
