// SPDX-License-Identifier: Apache-2.0
#include "engine/stored_pages.h"

#include <algorithm>

#include "base/check.h"

namespace glint {

const Digest& StoredPages::name(Job& job, int index) {
  store_.extend(job.page_names, job.ids);
  return job.page_names.at(static_cast<size_t>(index));
}

bool StoredPages::load(Job& job, int index, int32_t page) {
  page_.resize(static_cast<size_t>(cache_.page_bytes()));
  if (!store_.read(name(job, index), ids_of(job, index), page_)) return false;
  cache_.load_page(page, page_);
  return true;
}

void StoredPages::save(Job& job, int from, int to) {
  for (int index = from / kPageTokens; index < to / kPageTokens; ++index) write(job, index, true);
}

void StoredPages::write(Job& job, int index, bool may_drop) {
  const Digest& page_name = name(job, index);
  if (store_.has(page_name)) return;
  std::vector<std::byte> page(static_cast<size_t>(cache_.page_bytes()));
  cache_.save_page(cache_.pages().pages(job.sequence)[static_cast<size_t>(index)], page);
  store_.write(page_name, ids_of(job, index), std::move(page), may_drop);
}

void StoredPages::save_all(Job& job) {
  const int n_pages = static_cast<int>(job.ids.size()) / kPageTokens;
  for (int index = 0; index < n_pages; ++index) write(job, index, false);
}

void StoredPages::when_saved(const Job& job, std::function<void(int n_pages)> then) {
  store_.when_written([this, names = job.page_names, then = std::move(then)] {
    const auto lost = std::find_if(names.begin(), names.end(), [&](const Digest& name) { return !store_.has(name); });
    then(static_cast<int>(lost - names.begin()));
  });
}

void StoredPages::note_used(Job& job) {
  if (!job.page_names.empty()) store_.used(job.page_names);
}

}  // namespace glint
