// SPDX-License-Identifier: Apache-2.0
//
// The flags of `glint bench`, which are llama-bench's: each takes a list ("512,2048", "128-512+128") and may come
// again; every combination is measured. Used by bench.cpp. Tested by tests/integration/bench_test.py.
#pragma once

#include <CLI/CLI.hpp>

#include <set>
#include <string>
#include <vector>

#include "engine/bench.h"

namespace glint::app {

struct BenchCommand {
  std::vector<std::string> models;
  std::vector<std::string> n_prompt, n_generate, prompt_generate, depth;
  std::vector<std::string> n_batch, n_ubatch, n_threads, gpu_layers;
  std::vector<std::string> cache_type_k, cache_type_v, flash_attn, devices;
  std::vector<std::string> n_cpu_moe, tensor_places;
  std::vector<std::string> overrides;
  std::string backend = "auto";
  std::string format = "md";
  int repetitions = 5;
  bool cpu_moe = false;
  bool force_generic = false;
  bool no_warm_up = false;
  bool batched = false;
  std::vector<std::string> batch_prompt, batch_generate, batch_requests;
  bool shared_prompt = false;
};

void add_bench_flags(CLI::App& command, BenchCommand& options);

/// One combination of everything but the tests.
struct BenchSetup {
  std::string model;
  int n_batch = 2048;
  std::string gpu_layers;
  EngineOptions engine;  // without a context
};
/// Throws Error for lists that make no sense.
std::vector<BenchSetup> bench_setups(const BenchCommand& options);
/// In llama-bench's order.
std::vector<BenchTest> bench_tests(const BenchCommand& options);
std::vector<BatchedTest> batched_tests(const BenchCommand& options);
/// Fields of records that differ between setups or were set, for the md table.
std::set<std::string> set_fields(const BenchCommand& options);

/// "1,2,8" and ranges "a-b", "a-b+step", "a-b*factor", of any number of texts, in order; `fallback` for none at all.
std::vector<int> number_list(const char* flag, const std::vector<std::string>& texts, std::vector<int> fallback);

}  // namespace glint::app
