// SPDX-License-Identifier: Apache-2.0
//
// The one place that names concrete backends. Called by engine/placement.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace glint {

struct BackendOptions {
  int n_threads = 0;           // of the CPU; 0: the cores really available
  int card = 0;                // of CUDA
  bool generic_cards = false;  // CUDA: only what every card has, as on sm_120
};

/// "ref", "cpu" or "cuda". Throws Error for a backend that this build or machine lacks, naming what it has.
std::unique_ptr<Backend> make_backend(const std::string& name, const BackendOptions& options);

struct Card {
  int index = 0;  // its name is CUDA<index>
  std::string description;
  int64_t total_bytes = 0;
  std::string why_not;  // empty: glint can use it
};
/// Cards that answer; none in a build without CUDA. Takes no memory on them.
std::vector<Card> list_cards();
/// Of a card, now; takes some of it.
int64_t free_bytes_of_card(int index);

}  // namespace glint
