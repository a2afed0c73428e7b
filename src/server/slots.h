// SPDX-License-Identifier: Apache-2.0
//
// Numbers for answers, as llama.cpp's clients know them. Nothing is tied to a number but a memory of which text it last
// worked on: where the rows of a text lie is the cache's business.
// Called by server/answer; read by /slots and server/slot_endpoints. Safe from any thread.
// Tested by tests/unit/server/slots_test.cpp.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace glint::server {

class Slots {
 public:
  explicit Slots(int n) : slots_(static_cast<size_t>(n)) {}

  int size() const { return static_cast<int>(slots_.size()); }
  /// A number that no answer has: `wanted` if that is one; else the one whose text shares the most with `prompt`, or
  /// where none shares a tenth of it, the one that was used longest ago. -1 when all are taken.
  int take(std::span<const int32_t> prompt, int wanted);
  /// The answer is over; ids are the prompt and what was written.
  void give_back(int slot, std::vector<int32_t> ids);

  bool is_taken(int slot) const;
  /// Of the text that it worked on last.
  int n_tokens(int slot) const;
  /// That text; empty: none.
  std::vector<int32_t> text(int slot) const;
  void set_text(int slot, std::vector<int32_t> ids);

 private:
  struct Slot {
    bool is_taken = false;
    uint64_t used = 0;
    std::vector<int32_t> ids;
  };
  const Slot& at(int slot) const { return slots_.at(static_cast<size_t>(slot)); }

  mutable std::mutex mutex_;  // over all below
  std::vector<Slot> slots_;
  uint64_t clock_ = 0;
};

}  // namespace glint::server
