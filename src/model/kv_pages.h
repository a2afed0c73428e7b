// SPDX-License-Identifier: Apache-2.0
//
// Who holds which page of the cache: bookkeeping alone, no memory. A sequence is a list of pages of kPageTokens tokens;
// several sequences may hold one page, and a prefix tree may pin it so that it outlives them. A page that anybody else
// holds or that is pinned is never written: whoever wants to write gets one of his own, and what of it must be copied
// is left in a list that the cache works off before the next step (copy on write).
//
// A page is held (by a sequence), idle (pinned, held by none: it may be evicted) or free; the three add up to all.
// Changed by the decoder as rows are written, and by engine/scheduler and engine/prefix_tree; one thread at a time.
// Tested by tests/unit/model/kv_pages_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "backend/params.h"

namespace glint {

inline int pages_for(int64_t n_tokens) {
  return static_cast<int>((n_tokens + kPageTokens - 1) / kPageTokens);
}

class KvPages {
 public:
  /// Room for n_ctx tokens, rounded up to whole pages, and a page for each further sequence, whose last may be part
  /// full.
  KvPages(int n_ctx, int n_sequences);

  // ---- sequences ----
  /// Tokens that were written.
  int n_tokens(int sequence) const { return at(sequence).n_tokens; }
  /// Physical pages, in order.
  std::span<const int32_t> pages(int sequence) const;
  /// Free pages that reserve(sequence, from, to) would take.
  int n_needed(int sequence, int from, int to) const;
  /// Makes tokens [from, to) writable. Throws Error, and takes no page, when too few are free or `to` is past the
  /// context.
  void reserve(int sequence, int from, int to);
  /// Tokens [0, n_tokens) are now written. PRECOND: their pages are held.
  void written(int sequence, int n_tokens);
  /// Forgets what lies past n_tokens and lets go of pages past it.
  void truncate(int sequence, int n_tokens);
  /// Lets a sequence, whose pages are all full, go on with pages that others wrote; n_tokens counts from its beginning.
  /// The last may be part full, or hold more tokens than are wanted of it.
  void attach(int sequence, std::span<const int32_t> pages, int n_tokens);
  /// Holds `page` instead of the sequence's index-th, whose contents are the same.
  void replace(int sequence, int index, int32_t page);

  // ---- the prefix tree's hold ----
  void pin(int32_t page);
  void unpin(int32_t page);
  int n_holders(int32_t page) const { return n_holders_[static_cast<size_t>(page)]; }
  bool is_pinned(int32_t page) const { return pinned_[static_cast<size_t>(page)]; }

  // ---- all pages ----
  int n_ctx() const { return n_ctx_; }
  int n_sequences() const { return static_cast<int>(sequences_.size()); }
  int n_pages() const { return static_cast<int>(n_holders_.size()); }
  int n_free() const { return static_cast<int>(free_.size()); }
  int n_idle() const { return n_idle_; }
  /// [n_sequences, max_pages]; entries past a sequence's pages are valid page numbers but not its own.
  std::span<const int32_t> table() const { return table_; }
  int max_pages() const { return max_pages_; }

  struct Copy {
    int32_t from;
    int32_t to;
  };
  /// Pages to copy whole, in this order, before anything is written; each is handed out once.
  std::vector<Copy> take_copies() { return std::exchange(copies_, {}); }

  /// Recounts everything; throws InternalError for a page that leaked or has a wrong count. For tests.
  void check_invariants() const;

 private:
  struct Sequence {
    int n_pages = 0;
    int n_tokens = 0;
  };
  Sequence& at(int sequence);
  const Sequence& at(int sequence) const;
  int32_t& entry(int sequence, int index) {
    return table_[static_cast<size_t>(sequence) * static_cast<size_t>(max_pages_) + static_cast<size_t>(index)];
  }
  bool is_shared(int32_t page) const { return n_holders(page) > 1 || is_pinned(page); }
  int32_t take();
  void hold(int32_t page);
  void let_go(int32_t page);

  int n_ctx_;
  int max_pages_;
  std::vector<Sequence> sequences_;
  std::vector<int32_t> table_;
  std::vector<int> n_holders_;  // [n_pages] sequences that hold it
  std::vector<bool> pinned_;    // [n_pages]
  std::vector<int32_t> free_;   // taken from the back
  int n_idle_ = 0;
  std::vector<Copy> copies_;
};

}  // namespace glint
