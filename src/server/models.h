// SPDX-License-Identifier: Apache-2.0
//
// The models that this server has, of which some are in memory. A request takes a lease on the one that it names; a model
// that is not there is loaded first, by this object's own thread, and one that nobody holds makes room for it: the one
// that was used least recently, when too many are loaded or memory does not suffice. Whoever waits for room has precedence
// over those who come later for the model that is to go.
//
// Safe from any thread. Made by apps/serve; asked by the endpoints through server/on_model.
// Tested by tests/unit/server/models_test.cpp.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/service.h"

namespace glint::server {

/// What is known of a model that is not loaded.
struct ModelEntry {
  std::vector<std::string> names;  // the first is shown
  std::string path = {};
  uint64_t file_bytes = 0;
  int64_t modified = 0;  // seconds since 1970
};

struct ModelsOptions {
  int n_loaded = 4;                   // at the same time
  std::chrono::milliseconds idle{0};  // after which a model that nobody uses is unloaded; 0: never
};

class Models {
 public:
  /// A model in memory, where it stays as long as this is held.
  using Lease = std::shared_ptr<Service>;
  /// Throws Error when it cannot; OutOfMemory when it could with fewer others, of which there are some or none. Gives up
  /// when the flag is set.
  using Load =
      std::function<std::shared_ptr<Service>(const ModelEntry& entry, bool has_others, const std::atomic<bool>& give_up)>;
  /// Null, and the reason, when the model cannot be had.
  using Arrival = std::function<void(Lease lease, const std::string& error)>;

  Models(std::vector<ModelEntry> entries, Load load, const ModelsOptions& options);
  /// One model that stays.
  explicit Models(std::shared_ptr<Service> service);
  /// Leases must have been given back.
  ~Models();

  /// Whose name it is, with or without ":latest". Of one model every name is; without a name it is the one used last.
  /// Throws ApiError (404) with those that there are.
  size_t find(std::string_view name) const;
  size_t size() const { return slots_.size(); }
  const ModelEntry& entry(size_t model) const { return slots_[model].entry; }

  /// Null when it is not loaded.
  Lease lease(size_t model);
  /// Has it loaded if need be; `arrival` is called once, at once or from the loading thread.
  void request(size_t model, Arrival arrival);
  /// As lease(), but counts as no use: for whoever only looks.
  Lease look(size_t model);

 private:
  using Clock = std::chrono::steady_clock;
  struct Slot {
    ModelEntry entry;
    std::shared_ptr<Service> service;  // null: not loaded
    int n_leases = 0;
    bool leaving = false;              // no more leases: it is to make room
    uint64_t last_use = 0;             // by use_count_
    Clock::time_point since = {};      // when it was last given back
    std::vector<Arrival> waiting;
  };

  Lease lease_locked(size_t model, bool is_use);
  void give_back(size_t model, bool is_use);
  void work();
  void load_next(std::unique_lock<std::mutex>& lock);
  std::string load_one(std::unique_lock<std::mutex>& lock, size_t model);
  bool make_room(std::unique_lock<std::mutex>& lock);
  void unload(std::unique_lock<std::mutex>& lock, Slot& slot);
  void unload_idle(std::unique_lock<std::mutex>& lock);
  Clock::time_point next_idle_check() const;
  int n_loaded() const;

  Load load_;
  ModelsOptions options_;
  mutable std::mutex mutex_;  // over all below, entries aside
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::deque<size_t> wanted_;
  uint64_t use_count_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // absent where nothing is ever loaded
};

}  // namespace glint::server
