// SPDX-License-Identifier: Apache-2.0
//
// `glint bench`: how fast a model runs, in the form of llama-bench, with the share of the machine's limit that is
// reached; with --batched in the form of llama-batched-bench. Results on stdout, progress on stderr. Tested by
// tests/integration/bench_test.py.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "apps/bench_options.h"
#include "apps/bench_report.h"
#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "model/plan.h"

namespace glint::app {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// "deepseek2 29.94B Q4_K": family, size, and the format that most bytes have.
std::string model_type(const gguf::File& file, const ModelSpec& spec, const ModelPlan& plan) {
  std::map<DType, size_t> bytes;
  for (const HostTensor& tensor : file.tensors()) bytes[tensor.dtype] += tensor.bytes.size();
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto n = static_cast<double>(plan.parameters);
  return fmt::format("{} {} {}", spec.architecture,
                     n < 1e9 ? fmt::format("{:.0f}M", n * 1e-6) : fmt::format("{:.2f}B", n * 1e-9),
                     most == bytes.end() ? "" : traits(most->first).name);
}

std::string backend_title(const Engine& engine) {
  const std::string& name = engine.options().backend;
  return name == "cuda" ? "CUDA" : name == "cpu" ? "CPU" : name;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

BenchRecord record_of(const Engine& engine, const BenchSetup& setup, const BenchResult& result) {
  const ModelSpec& spec = engine.model().spec;
  const EngineOptions& options = engine.options();
  const ModelPlan plan = plan_model(engine.file(), spec, {options.k_dtype, options.v_dtype});
  const bool on_card = options.backend == "cuda";
  BenchRecord r;
  r["build_commit"] = GLINT_VERSION;
  r["cpu_info"] = processor_name();
  r["gpu_info"] = on_card ? engine.plan().machine.device : "";
  r["backends"] = backend_title(engine);
  r["model_filename"] = engine.file().name();
  r["model_type"] = model_type(engine.file(), spec, plan);
  r["model_size"] = plan.weight_bytes;
  r["model_n_params"] = plan.parameters;
  r["n_batch"] = setup.n_batch;
  r["n_ubatch"] = setup.engine.n_ubatch;
  r["n_threads"] = options.n_threads;
  r["type_k"] = traits(options.k_dtype).name;
  r["type_v"] = traits(options.v_dtype).name;
  r["n_gpu_layers"] = on_card ? static_cast<int>(spec.layers.size()) + 1 : 0;
  r["n_cpu_moe"] = engine.plan().decoder.n_on_host();
  r["flash_attn"] = true;
  r["devices"] = on_card ? fmt::format("CUDA{}", options.card) : "none";
  r["force_generic"] = options.generic_cards;
  r["memory_used_before"] = on_card ? engine.plan().machine.total_bytes - engine.plan().machine.free_bytes : 0;
  r["memory_planned"] = engine.plan().needed();
  r["n_prompt"] = result.test.n_prompt;
  r["n_gen"] = result.test.n_generate;
  r["n_depth"] = result.test.depth;
  r["test"] = result.test.name();
  r["test_time"] = utc_now();
  r["avg_ns"] = static_cast<int64_t>(result.mean_seconds() * 1e9);
  r["stddev_ns"] = static_cast<int64_t>(result.deviation_of_seconds() * 1e9);
  r["avg_ts"] = result.mean_rate();
  r["stddev_ts"] = result.deviation_of_rate();
  r["limit_share"] = result.limit_share() > 0 ? nlohmann::ordered_json(result.limit_share()) : nullptr;
  auto nanoseconds = nlohmann::ordered_json::array(), rates = nlohmann::ordered_json::array();
  for (double seconds : result.seconds) {
    nanoseconds.push_back(static_cast<int64_t>(seconds * 1e9));
    rates.push_back(result.test.n_tokens() / seconds);
  }
  r["samples_ns"] = nanoseconds;
  r["samples_ts"] = rates;
  return r;
}

Engine open_for(const BenchCommand& command, const BenchSetup& setup, const EngineOptions& options) {
  ModelOptions file;
  file.model = setup.model;
  file.overrides = command.overrides;
  return open_engine(open_model_file(file), options);
}

void run_tests(const BenchCommand& command) {
  const std::vector<BenchTest> tests = bench_tests(command);
  const std::vector<BenchSetup> setups = bench_setups(command);
  std::optional<BenchReport> report;
  for (const BenchSetup& setup : setups) {
    EngineOptions options = setup.engine;
    for (const BenchTest& test : tests) options.n_ctx = std::max(options.n_ctx, Bench::context_for(test));
    Engine engine = open_for(command, setup, options);
    if (!report) {
      std::set<std::string> shown = set_fields(command);
      shown.insert(engine.options().backend == "cuda" ? "n_gpu_layers" : "n_threads");
      report.emplace(command.format, shown);
    }
    const MachineLimits limits = engine.machine_limits();
    if (limits.bytes_per_second > 0) {
      inform("limits: {:.1f} GB/s from memory, {:.2f} TFLOP/s", limits.bytes_per_second * 1e-9,
             limits.flops_per_second * 1e-12);
    }
    Bench bench(engine, limits,
                {.n_batch = setup.n_batch, .repetitions = command.repetitions, .warm_up = !command.no_warm_up});
    CatchInterrupt interrupt;
    for (const BenchTest& test : tests) {
      ProgressBar bar(test.name());
      const BenchResult result = bench.run(test, [&](int done, int total) {
        if (interrupt.flag()) fail("cancelled");
        bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
      });
      report->add(record_of(engine, setup, result));
    }
  }
  report->finish();
}

void run_batched_tests(const BenchCommand& command) {
  const std::vector<BatchedTest> tests = batched_tests(command);
  for (const BenchSetup& setup : bench_setups(command)) {
    const EngineOptions options = batched_options(setup.engine, tests);
    BatchEngine engine(open_for(command, setup, options), {.prompt_tokens = options.n_ubatch});
    if (!command.no_warm_up) run_batched(engine, {16, 4, 1});
    print_batched_head();
    CatchInterrupt interrupt;
    for (const BatchedTest& test : tests) {
      if (interrupt.flag()) fail("cancelled");
      print_batched_row(run_batched(engine, test));
    }
  }
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto options = std::make_shared<BenchCommand>();
  CLI::App* command = app.add_subcommand("bench", "How fast a model runs, as llama-bench measures it");
  command->footer(
      "Examples:\n"
      "  glint bench -m model.gguf                                   pp512 and tg128\n"
      "  glint bench -m model.gguf -p 512,2048 -n 128 -d 0,8192 -ub 2048 -o json\n"
      "  glint bench -m model.gguf -p 0 -n 0 -pg 512,128 -r 10\n"
      "  glint bench -m model.gguf --batched -npp 128 -ntg 128 -npl 1,2,4,8\n");
  add_device_list(*command);
  add_bench_flags(*command, *options);
  command->callback([options] { options->batched ? run_batched_tests(*options) : run_tests(*options); });
}

}  // namespace glint::app
