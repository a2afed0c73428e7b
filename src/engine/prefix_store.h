// SPDX-License-Identifier: Apache-2.0
//
// Pages of the cache on disk, so that a prompt read yesterday need not be read again. One file a page, named by a
// digest over the model's fingerprint and all ids up to the page's end: what has another model, cache format or text
// has another name. A file says its name, its ids and a checksum of its rows again; one that does not agree is reported
// once and not used. Files come into being under another name and are renamed when whole.
//
// Reading is done by the caller. Writing, and noting what was used, is a thread's of its own, which drops pages rather
// than let them pile up. Least recently used files make room; only files that the store named are ever touched.
// Called by engine/batch_engine from one thread. Tested by tests/unit/engine/prefix_store_test.cpp.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/sha256.h"

namespace glint {

struct PrefixStoreOptions {
  std::string folder;
  int64_t most_bytes = 0;
  std::function<void(const std::string&)> warn;  // one line each; from any thread
};

class PrefixStore {
 public:
  /// Looks at what the folder holds; makes it when absent. Throws Error when that is not possible.
  PrefixStore(PrefixStoreOptions options, const Digest& fingerprint, int64_t page_bytes);
  /// Writes what is on its way.
  ~PrefixStore();

  /// Appends the names of the full pages of a text to those of its beginning.
  void extend(std::vector<Digest>& names, std::span<const int32_t> ids) const;
  bool has(const Digest& name) const;
  /// Reads the page that ends with these ids (a page's worth); false when there is none that can be believed.
  bool read(const Digest& name, std::span<const int32_t> ids, std::span<std::byte> page);
  /// Takes a page in; one that may be dropped only if there is time for it.
  void write(const Digest& name, std::span<const int32_t> ids, std::vector<std::byte> page, bool may_drop = true);
  /// Calls `then` on the writing thread, after everything taken in so far is on disk.
  void when_written(std::function<void()> then);
  /// The pages of a text were used: its beginning is the last to go.
  void used(std::vector<Digest> names);

  const Digest& fingerprint() const { return fingerprint_; }
  int64_t bytes() const;
  /// Of a page's file.
  int64_t file_bytes() const;
  /// Waits until everything taken in is on disk. For tests.
  void flush();

 private:
  struct Header;
  struct Entry {
    int64_t bytes = 0;
    std::list<Digest>::iterator order;
  };
  struct Work {
    Digest name;
    std::vector<int32_t> ids;
    std::vector<std::byte> page;
    std::vector<Digest> used;    // or, instead of the above: note these
    std::function<void()> then;  // or: call this
  };
  std::string path(const Digest& name) const;
  void scan();
  void run();
  void carry_out(const Work& work);
  void write_file(const Work& work);
  void touch(const Digest& name);
  void enter(const Digest& name, int64_t bytes);
  void forget(const Digest& name);
  void make_room(int64_t bytes);
  void enqueue(Work work, bool may_drop);

  PrefixStoreOptions options_;
  Digest fingerprint_;
  int64_t page_bytes_;
  int64_t clock_ = 0;  // nanoseconds; of the writing thread

  mutable std::mutex mutex_;  // over all below
  std::map<Digest, Entry> entries_;
  std::list<Digest> order_;  // least recently used first
  int64_t bytes_ = 0;
  std::deque<Work> queue_;
  int64_t queued_bytes_ = 0;
  bool busy_ = false;
  bool stopping_ = false;
  std::condition_variable changed_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace glint
