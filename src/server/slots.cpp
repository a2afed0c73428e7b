// SPDX-License-Identifier: Apache-2.0
#include "server/slots.h"

#include <algorithm>
#include <tuple>

namespace glint::server {
namespace {

/// How many ids two texts share, if that is a tenth of the first.
std::ptrdiff_t likeness(std::span<const int32_t> prompt, const std::vector<int32_t>& text) {
  const auto n = std::mismatch(prompt.begin(), prompt.end(), text.begin(), text.end()).first - prompt.begin();
  return n * 10 >= static_cast<std::ptrdiff_t>(prompt.size()) ? n : 0;
}

}  // namespace

int Slots::take(std::span<const int32_t> prompt, int wanted) {
  const std::lock_guard lock(mutex_);
  const bool may_have = wanted >= 0 && wanted < size() && !at(wanted).is_taken;
  int best = may_have ? wanted : -1;
  std::ptrdiff_t best_likeness = 0;
  for (int i = 0; i < size() && !may_have; ++i) {
    if (at(i).is_taken) continue;
    const std::ptrdiff_t like = likeness(prompt, at(i).ids);
    if (best < 0 || like > best_likeness || (like == best_likeness && at(i).used < at(best).used)) {
      best = i;
      best_likeness = like;
    }
  }
  if (best < 0) return -1;
  Slot& slot = slots_[static_cast<size_t>(best)];
  slot.is_taken = true;
  slot.used = ++clock_;
  return best;
}

void Slots::give_back(int slot, std::vector<int32_t> ids) {
  set_text(slot, std::move(ids));
  const std::lock_guard lock(mutex_);
  slots_[static_cast<size_t>(slot)].is_taken = false;
}

bool Slots::is_taken(int slot) const {
  const std::lock_guard lock(mutex_);
  return at(slot).is_taken;
}

int Slots::n_tokens(int slot) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(at(slot).ids.size());
}

std::vector<int32_t> Slots::text(int slot) const {
  const std::lock_guard lock(mutex_);
  return at(slot).ids;
}

void Slots::set_text(int slot, std::vector<int32_t> ids) {
  const std::lock_guard lock(mutex_);
  slots_[static_cast<size_t>(slot)].ids = std::move(ids);
}

}  // namespace glint::server
