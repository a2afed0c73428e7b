// SPDX-License-Identifier: Apache-2.0
#include "server/response_store.h"

#include <iterator>

namespace glint::server {

void ResponseStore::put(const std::string& id, StoredResponse response) {
  Entry entry{id, std::move(response)};
  const std::lock_guard lock(mutex_);
  if (entry.bytes() > max_bytes_ || by_id_.contains(id)) return;
  n_bytes_ += entry.bytes();
  entries_.push_front(std::move(entry));
  by_id_[id] = entries_.begin();
  while (n_bytes_ > max_bytes_) forget(std::prev(entries_.end()));
}

std::optional<StoredResponse> ResponseStore::find(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, known->second);
  return known->second->response;
}

bool ResponseStore::erase(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return false;
  forget(known->second);
  return true;
}

void ResponseStore::forget(std::list<Entry>::iterator entry) {
  n_bytes_ -= entry->bytes();
  by_id_.erase(entry->id);
  entries_.erase(entry);
}

}  // namespace glint::server
