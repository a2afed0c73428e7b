// SPDX-License-Identifier: Apache-2.0
#include "model/kv_pages.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace glint {

KvPages::KvPages(int n_ctx, int n_sequences) : n_ctx_(n_ctx), max_pages_(pages_for(n_ctx)) {
  GLINT_CHECK(n_ctx >= 1 && n_sequences >= 1);
  const auto n_pages = static_cast<size_t>(max_pages_ + n_sequences - 1);
  sequences_.resize(static_cast<size_t>(n_sequences));
  table_.assign(static_cast<size_t>(n_sequences) * static_cast<size_t>(max_pages_), 0);
  n_holders_.assign(n_pages, 0);
  pinned_.assign(n_pages, false);
  free_.resize(n_pages);
  std::iota(free_.rbegin(), free_.rend(), 0);  // the lowest page is taken first
}

KvPages::Sequence& KvPages::at(int sequence) {
  GLINT_CHECK(sequence >= 0 && sequence < n_sequences());
  return sequences_[static_cast<size_t>(sequence)];
}

const KvPages::Sequence& KvPages::at(int sequence) const {
  return const_cast<KvPages*>(this)->at(sequence);
}

std::span<const int32_t> KvPages::pages(int sequence) const {
  return std::span(table_).subspan(static_cast<size_t>(sequence) * static_cast<size_t>(max_pages_),
                                   static_cast<size_t>(at(sequence).n_pages));
}

int32_t KvPages::take() {
  const int32_t page = free_.back();
  free_.pop_back();
  n_holders_[static_cast<size_t>(page)] = 1;
  return page;
}

void KvPages::hold(int32_t page) {
  GLINT_CHECK(n_holders(page) > 0 || is_pinned(page));  // what is free has no contents
  if (n_holders_[static_cast<size_t>(page)]++ == 0) --n_idle_;
}

void KvPages::let_go(int32_t page) {
  GLINT_CHECK(n_holders(page) > 0);
  if (--n_holders_[static_cast<size_t>(page)] > 0) return;
  if (is_pinned(page)) {
    ++n_idle_;
  } else {
    free_.push_back(page);
  }
}

int KvPages::n_needed(int sequence, int from, int to) const {
  const std::span<const int32_t> held = pages(sequence);
  const int n_held = static_cast<int>(held.size());
  int n = std::max(0, pages_for(to) - n_held);
  for (int i = from / kPageTokens; i < std::min(pages_for(to), n_held); ++i)
    n += is_shared(held[static_cast<size_t>(i)]);
  return n;
}

void KvPages::reserve(int sequence, int from, int to) {
  GLINT_CHECK(from >= 0 && from <= to);
  if (to > n_ctx_) fail("{} tokens do not fit the context of {}; raise it with -c", to, n_ctx_);
  const int n = n_needed(sequence, from, to);
  if (n > n_free()) {
    fail("the cache of {} tokens is full: {} more pages of {} tokens are needed and {} are free; raise it with -c",
         n_ctx_, n, kPageTokens, n_free());
  }
  Sequence& mine = at(sequence);
  for (int i = from / kPageTokens; i < std::min(pages_for(to), mine.n_pages); ++i) {
    int32_t& page = entry(sequence, i);
    if (!is_shared(page)) continue;
    const int32_t own = take();
    // Of the page that `from` lies in, what comes before it is kept; later pages are overwritten.
    if (i * kPageTokens < from) copies_.push_back({page, own});
    let_go(page);
    page = own;
  }
  while (mine.n_pages < pages_for(to)) entry(sequence, mine.n_pages++) = take();
}

void KvPages::written(int sequence, int n_tokens) {
  GLINT_CHECK(pages_for(n_tokens) <= at(sequence).n_pages);
  at(sequence).n_tokens = n_tokens;
}

void KvPages::truncate(int sequence, int n_tokens) {
  GLINT_CHECK(n_tokens >= 0);
  Sequence& mine = at(sequence);
  while (mine.n_pages > pages_for(n_tokens)) let_go(entry(sequence, --mine.n_pages));
  mine.n_tokens = std::min(mine.n_tokens, n_tokens);
}

void KvPages::attach(int sequence, std::span<const int32_t> pages, int n_tokens) {
  Sequence& mine = at(sequence);
  const int n_pages = mine.n_pages + static_cast<int>(pages.size());
  GLINT_CHECK(mine.n_tokens == mine.n_pages * kPageTokens && n_tokens <= n_ctx_ && pages_for(n_tokens) == n_pages);
  for (int32_t page : pages) {
    hold(page);
    entry(sequence, mine.n_pages++) = page;
  }
  mine.n_tokens = n_tokens;
}

void KvPages::replace(int sequence, int index, int32_t page) {
  GLINT_CHECK(index >= 0 && index < at(sequence).n_pages);
  int32_t& mine = entry(sequence, index);
  if (mine == page) return;
  hold(page);
  let_go(mine);
  mine = page;
}

void KvPages::pin(int32_t page) {
  GLINT_CHECK(!is_pinned(page) && n_holders(page) > 0);
  pinned_[static_cast<size_t>(page)] = true;
}

void KvPages::unpin(int32_t page) {
  GLINT_CHECK(is_pinned(page));
  pinned_[static_cast<size_t>(page)] = false;
  if (n_holders(page) > 0) return;
  --n_idle_;
  free_.push_back(page);
}

void KvPages::check_invariants() const {
  std::vector<int> holders(n_holders_.size(), 0);
  for (int sequence = 0; sequence < n_sequences(); ++sequence) {
    const std::span<const int32_t> held = pages(sequence);
    GLINT_CHECK(n_tokens(sequence) <= static_cast<int>(held.size()) * kPageTokens);
    for (int32_t page : held) {
      GLINT_CHECK(page >= 0 && page < n_pages());
      ++holders[static_cast<size_t>(page)];
    }
  }
  GLINT_CHECK(holders == n_holders_);
  std::vector<bool> is_free(n_holders_.size(), false);
  for (int32_t page : free_) {
    GLINT_CHECK(!is_free[static_cast<size_t>(page)] && n_holders(page) == 0 && !is_pinned(page));
    is_free[static_cast<size_t>(page)] = true;
  }
  int n_held = 0, n_idle = 0;
  for (int32_t page = 0; page < n_pages(); ++page) {
    n_held += n_holders(page) > 0;
    n_idle += n_holders(page) == 0 && is_pinned(page);
  }
  GLINT_CHECK(n_idle == n_idle_ && n_held + n_idle + n_free() == n_pages());
}

}  // namespace glint
