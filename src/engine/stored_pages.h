// SPDX-License-Identifier: Apache-2.0
//
// Joins the prefix store to the cache: fills pages of jobs from disk, and takes copies of pages as they become full.
// Called by the scheduler (as a PageSource) and engine/batch_engine, on the engine's thread.
// Tested by tests/unit/engine/prefix_store_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
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
  /// Keeps all full pages of a running job whose rows are all there, whatever time that takes.
  void save_all(Job& job);
  /// Calls `then` once these are written, from another thread, with how many of them, from the first on, are on disk.
  void when_saved(const Job& job, std::function<void(int n_pages)> then);
  int64_t file_bytes() const { return store_.file_bytes(); }
  /// The job is over: the pages it went through are the last to make room.
  void note_used(Job& job);
  const Digest& fingerprint() const { return store_.fingerprint(); }
  void flush() { store_.flush(); }

 private:
  const Digest& name(Job& job, int index);
  void write(Job& job, int index, bool may_drop);
  static std::span<const int32_t> ids_of(const Job& job, int index) {
    return std::span(job.ids).subspan(static_cast<size_t>(index) * kPageTokens, kPageTokens);
  }

  PrefixStore store_;
  KvCache& cache_;
  std::vector<std::byte> page_;  // being read
};

}  // namespace glint
