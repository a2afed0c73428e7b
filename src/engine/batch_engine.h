// SPDX-License-Identifier: Apache-2.0
//
// Serves many requests at once with one model. submit() may be called from any thread; one thread of this object's own
// uses the Engine, steps all answers together, and pushes what becomes final into each request's Stream.
//
//   BatchEngine engine(Engine::open(file, {.n_sequences = 16}), {});
//   std::unique_ptr<Stream> stream = engine.submit(request);
//   while (std::optional<Event> event = stream->next()) std::cout << event->text;
//
// An answer depends on its request alone: not on neighbours, priorities, cancelled requests, or what the cache held.
// To fork a conversation, submit its ids with other ones behind them: pages are shared up to the first that differs.
// Tested by tests/unit/engine/batch_engine_test.cpp and batch_stress_test.cpp.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/event_stream.h"
#include "engine/prefix_store.h"
#include "engine/request.h"
#include "engine/scheduler.h"

namespace glint {

struct BatchOptions {
  int n_queued = 256;             // answers that may wait besides those that could run at once
  int prompt_tokens = 128;        // SchedulerOptions; a step's rows are EngineOptions::n_ubatch
  int loaded_pages = 16;          // SchedulerOptions; of the store
  int n_buffered_events = 1024;   // of one request that its reader may be behind
  PrefixStoreOptions store = {};  // no folder: none
  bool check_invariants = false;  // after every step; for tests
};

class BatchEngine {
 public:
  /// Takes over the engine; n_sequences is how many answers run at once. Throws Error for a step too short for them.
  BatchEngine(Engine engine, const BatchOptions& options);
  /// Cancels everything; streams can still be read.
  ~BatchEngine();

  /// Throws RequestError before any work: ids that do not fit the context, a full queue, numbers out of range.
  std::unique_ptr<Stream> submit(Request request);

  struct Status {
    int n_open = 0;  // answers submitted and not finished
    Scheduler::Counts counts;
  };
  /// Of now, up to a step; an answer whose last event was read is out of it.
  Status status() const;
  /// For its constant facts (model, vocabulary, context); sessions may not use it.
  const Engine& engine() const;
  /// Where pages are kept; empty: nowhere.
  const std::string& store_folder() const;
  /// Of what may use kept pages (engine/model_fingerprint.h). PRECOND: they are kept.
  const Digest& fingerprint() const;
  /// Waits until pages that were computed are in the store. For tests, and before a machine is switched off.
  void flush_store();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glint
