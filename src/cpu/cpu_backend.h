// SPDX-License-Identifier: Apache-2.0
//
// The CPU backend: threads, AVX2 where the machine has it, weights used where the file maps them. Activations stay f32:
// no quantisation error is added to the file's own. Only make_backend.cpp and tests include this.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace glint {

struct CpuOptions {
  int n_threads = 0;          // 0: the cores really available (affinity, cgroup quota)
  bool scalar_only = false;   // ignore AVX2: for tests
};

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});

}  // namespace glint
