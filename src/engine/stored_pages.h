// SPDX-License-Identifier: Apache-2.0
//
// Joins the prefix store to the cache: fills pages of jobs from disk, and takes copies of pages as they become full.
// Called by the scheduler (as a PageSource) and engine/batch_engine, on the engine's thread.
// Tested by tests/unit/engine/prefix_store_test.cpp.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/prefix_store.h"
#include "engine/scheduler.h"
#include "model/kv_cache.h"

namespace glint {

class StoredPages : public PageSource {
 public:
  /// `cache` must outlive this.
  StoredPages(PrefixStoreOptions options, const Digest& fingerprint, KvCache& cache)
      : store_(std::move(options), fingerprint, cache.page_bytes()), cache_(cache) {}

  bool has(Job& job, int index) override { return store_.has(name(job, index)); }
  bool load(Job& job, int index, int32_t page) override;
  /// Tokens [from, to) of a running job were computed: keeps the pages that became full.
  void save(Job& job, int from, int to);
  /// The job is over: the pages it went through are the last to make room.
  void note_used(Job& job);
  void flush() { store_.flush(); }

 private:
  const Digest& name(Job& job, int index);
  static std::span<const int32_t> ids_of(const Job& job, int index) {
    return std::span(job.ids).subspan(static_cast<size_t>(index) * kPageTokens, kPageTokens);
  }

  PrefixStore store_;
  KvCache& cache_;
  std::vector<std::byte> page_;  // being read
};

}  // namespace glint
