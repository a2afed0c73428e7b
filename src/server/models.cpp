// SPDX-License-Identifier: Apache-2.0
#include "server/models.h"

#include <algorithm>

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {
namespace {

constexpr const char* kStopping = "the server is stopping";

}  // namespace

Models::Models(std::vector<ModelEntry> entries, Load load, const ModelsOptions& options)
    : load_(std::move(load)), options_(options) {
  GLINT_CHECK(!entries.empty() && options.n_loaded > 0);
  for (ModelEntry& entry : entries) slots_.emplace_back().entry = std::move(entry);
  thread_ = std::thread([this] { work(); });
}

Models::Models(std::shared_ptr<Service> service) {
  Slot& slot = slots_.emplace_back();
  slot.entry = {.names = service->options().names,
                .file_bytes = service->engine().file().total_bytes(),
                .modified = service->created()};
  slot.service = std::move(service);
}

Models::~Models() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

size_t Models::find(std::string_view name) const {
  constexpr std::string_view kLatest = ":latest";
  if (slots_.size() == 1) return 0;
  if (name.empty()) {
    const std::lock_guard lock(mutex_);
    const auto last = std::ranges::max_element(slots_, {}, &Slot::last_use);
    return static_cast<size_t>(last - slots_.begin());
  }
  const std::string_view bare = name.ends_with(kLatest) ? name.substr(0, name.size() - kLatest.size()) : name;
  std::string known;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const std::vector<std::string>& names = slots_[i].entry.names;
    if (std::ranges::find(names, name) != names.end() || std::ranges::find(names, bare) != names.end()) return i;
    known += (known.empty() ? "" : ", ") + names.front();
  }
  throw ApiError::not_found(fmt::format("there is no model \"{}\"; there are: {}", printable(name), known));
}

Models::Lease Models::lease(size_t model) {
  const std::lock_guard lock(mutex_);
  return lease_locked(model, true);
}

Models::Lease Models::lease_locked(size_t model, bool is_use) {
  Slot& slot = slots_[model];
  if (!slot.service || slot.leaving) return nullptr;
  ++slot.n_leases;
  if (is_use) slot.last_use = ++use_count_;
  return {slot.service.get(), [this, model, is_use](Service*) { give_back(model, is_use); }};
}

void Models::give_back(size_t model, bool is_use) {
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[model];
    --slot.n_leases;
    if (is_use) slot.since = Clock::now();
  }
  changed_.notify_all();
}

void Models::request(size_t model, Arrival arrival) {
  Lease lease;
  std::string error;
  {
    const std::lock_guard lock(mutex_);
    lease = lease_locked(model, true);
    if (!lease && stopping_) error = kStopping;
    if (!lease && !stopping_) {
      Slot& slot = slots_[model];
      slot.waiting.push_back(std::move(arrival));
      if (slot.waiting.size() == 1) wanted_.push_back(model);
    }
  }
  if (lease || !error.empty()) return arrival(std::move(lease), error);
  changed_.notify_all();
}

Models::Lease Models::look(size_t model) {
  const std::lock_guard lock(mutex_);
  return lease_locked(model, false);
}

int Models::n_loaded() const {
  return static_cast<int>(std::ranges::count_if(slots_, [](const Slot& slot) { return slot.service != nullptr; }));
}

void Models::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    unload_idle(lock);
    if (!wanted_.empty()) {
      load_next(lock);
    } else if (const Clock::time_point check = next_idle_check(); check != Clock::time_point::max()) {
      changed_.wait_until(lock, check);
    } else {
      changed_.wait(lock);
    }
  }
  for (Slot& slot : slots_) {
    std::vector<Arrival> waiting = std::move(slot.waiting);
    lock.unlock();
    for (const Arrival& arrival : waiting) arrival(nullptr, kStopping);
    lock.lock();
  }
}

void Models::load_next(std::unique_lock<std::mutex>& lock) {
  const size_t model = wanted_.front();
  wanted_.pop_front();
  const std::string error = load_one(lock, model);
  std::vector<std::pair<Arrival, Lease>> arrivals;
  for (Arrival& arrival : slots_[model].waiting) arrivals.emplace_back(std::move(arrival), lease_locked(model, true));
  slots_[model].waiting.clear();
  lock.unlock();
  for (auto& [arrival, lease] : arrivals) arrival(std::move(lease), error);
  lock.lock();
}

/// Why it is not there; empty when it is.
std::string Models::load_one(std::unique_lock<std::mutex>& lock, size_t model) {
  Slot& slot = slots_[model];
  while (!slot.service && !stopping_) {
    if (n_loaded() >= options_.n_loaded) {
      make_room(lock);
      continue;
    }
    std::shared_ptr<Service> service;
    std::string error, no_room;
    const bool has_others = n_loaded() > 0;
    lock.unlock();
    try {
      service = load_(slot.entry, has_others, stopping_);
    } catch (const OutOfMemory& reason) {
      no_room = reason.what();
    } catch (const std::bad_alloc&) {
      no_room = "out of memory";
    } catch (const std::exception& reason) {
      error = reason.what();
    }
    lock.lock();
    if (service) {
      slot.service = std::move(service);
      slot.since = Clock::now();
    }
    if (!error.empty()) return error;
    if (!no_room.empty() && !make_room(lock)) return no_room;
  }
  return slot.service ? std::string() : kStopping;
}

/// Unloads the model that was used least recently, once it is idle. False when there is none.
bool Models::make_room(std::unique_lock<std::mutex>& lock) {
  Slot* oldest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.service && (oldest == nullptr || slot.last_use < oldest->last_use)) oldest = &slot;
  }
  if (oldest == nullptr) return false;
  unload(lock, *oldest);
  return true;
}

void Models::unload(std::unique_lock<std::mutex>& lock, Slot& slot) {
  slot.leaving = true;
  changed_.wait(lock, [&] { return slot.n_leases == 0 || stopping_; });
  if (slot.n_leases > 0) return;
  std::shared_ptr<Service> service = std::move(slot.service);
  slot.service = nullptr;
  slot.leaving = false;
  lock.unlock();
  service.reset();
  lock.lock();
}

void Models::unload_idle(std::unique_lock<std::mutex>& lock) {
  if (options_.idle.count() == 0) return;
  const Clock::time_point now = Clock::now();
  for (Slot& slot : slots_) {
    if (slot.service && slot.n_leases == 0 && slot.since + options_.idle <= now) unload(lock, slot);
  }
}

Models::Clock::time_point Models::next_idle_check() const {
  Clock::time_point next = Clock::time_point::max();
  if (options_.idle.count() == 0) return next;
  for (const Slot& slot : slots_) {
    if (slot.service && slot.n_leases == 0) next = std::min(next, slot.since + options_.idle);
  }
  return next;
}

}  // namespace glint::server
