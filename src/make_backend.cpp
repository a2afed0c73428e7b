// SPDX-License-Identifier: Apache-2.0
#include "make_backend.h"

#include "base/check.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"

namespace glint {

std::unique_ptr<Backend> make_backend(const std::string& name, const BackendOptions& options) {
  if (name == "cpu") return make_cpu_backend({.n_threads = options.n_threads});
  if (name == "ref") return make_ref_backend();
  if (name == "cuda") return make_cuda_backend({.device = options.card, .generic_only = options.generic_cards});
  fail("--backend {} is unknown; known are auto, cpu, cuda and ref", name);
}

std::vector<Card> list_cards() {
  std::vector<Card> cards;
  for (const CudaDevice& device : cuda_devices()) {
    const int capability = device.compute_capability;
    cards.push_back({.index = device.index,
                     .description = device.name,
                     .total_bytes = device.total_bytes,
                     .why_not = capability >= kLeastComputeCapability
                                    ? ""
                                    : fmt::format("compute capability {}.{}; glint needs {}.0", capability / 10,
                                                  capability % 10, kLeastComputeCapability / 10)});
  }
  return cards;
}

int64_t free_bytes_of_card(int index) {
  return cuda_free_bytes(index);
}

}  // namespace glint
