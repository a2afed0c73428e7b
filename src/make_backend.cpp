// SPDX-License-Identifier: Apache-2.0
#include "make_backend.h"

#include "base/check.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"

namespace glint {

std::unique_ptr<Backend> make_backend(const std::string& name, int n_threads) {
  if (name == "cpu") return make_cpu_backend({.n_threads = n_threads});
  if (name == "ref") return make_ref_backend();
  if (name == "cuda") return make_cuda_backend();
  fail("--backend {} is unknown; known are cpu, cuda and ref", name);
}

}  // namespace glint
