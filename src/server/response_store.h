// SPDX-License-Identifier: Apache-2.0
//
// Answers of the Responses API that a later request may go on from, by id; in memory, and only so many bytes of them: those
// that were not used for longest are forgotten first.
// Safe from any thread. Called by server/responses. Tested by tests/unit/server/responses_test.cpp.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace glint::server {

struct StoredResponse {
  std::string response;      // JSON, as it was answered
  std::string conversation;  // JSON: the items that led to it, and those that it added
};

class ResponseStore {
 public:
  explicit ResponseStore(size_t max_bytes = 64 << 20) : max_bytes_(max_bytes) {}

  /// One that is larger than everything there is room for is not kept.
  void put(const std::string& id, StoredResponse response);
  std::optional<StoredResponse> find(const std::string& id);
  /// False when it was not there.
  bool erase(const std::string& id);

 private:
  struct Entry {
    std::string id;
    StoredResponse response;
    size_t bytes() const { return id.size() + response.response.size() + response.conversation.size(); }
  };
  void forget(std::list<Entry>::iterator entry);

  std::mutex mutex_;  // over all below
  size_t max_bytes_;
  size_t n_bytes_ = 0;
  std::list<Entry> entries_;  // latest use first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_id_;
};

}  // namespace glint::server
