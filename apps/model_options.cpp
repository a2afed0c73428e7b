// SPDX-License-Identifier: Apache-2.0
#include "apps/model_options.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "apps/device_options.h"
#include "apps/terminal.h"
#include "base/check.h"

namespace glint::app {

void add_file_options(CLI::App& command, ModelOptions& options, bool required) {
  auto* model = command.add_option("-m,--model", options.model, "GGUF file; of a split set any part")
                    ->type_name("FILE")
                    ->envname("LLAMA_ARG_MODEL");
  if (required) model->required();
  command.add_option("--override-kv", options.overrides, "KEY=TYPE:VALUE with TYPE int, float, bool or str; repeatable")
      ->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1);
}

void add_model_options(CLI::App& command, ModelOptions& options, bool required) {
  add_file_options(command, options, required);
  add_device_options(command, options);
  command.add_option("-t,--threads", options.n_threads, "threads; 0: the cores really available")
      ->type_name("N")
      ->envname("LLAMA_ARG_THREADS")
      ->check(CLI::Range(0, 1024));
  command.add_option_function<int>("--threads-batch", [](const int&) {}, "accepted; -t counts for all work")->type_name("N");
  command.add_option("-c,--ctx-size", options.n_ctx, "context in tokens; 0: what the model was trained for, as memory allows")
      ->type_name("N")
      ->envname("LLAMA_ARG_CTX_SIZE")
      ->check(CLI::NonNegativeNumber);
  command.add_option_function<int>("-b,--batch-size", [](const int&) {}, "accepted; see -ub")->type_name("N");
  command.add_option("--ubatch-size", options.n_ubatch, "-ub: prompt tokens computed at once")
      ->type_name("N")
      ->envname("LLAMA_ARG_UBATCH")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  const auto cache_types = CLI::IsMember({"f32", "f16", "bf16", "q8_0"}, CLI::ignore_case);
  command.add_option("--cache-type-k", options.cache_type_k, "-ctk: cached keys (and MLA latents): f32, f16, bf16 or q8_0 (default f16)")
      ->check(cache_types)
      ->envname("LLAMA_ARG_CACHE_TYPE_K");
  command.add_option("--cache-type-v", options.cache_type_v, "-ctv: cached values, likewise; MLA has none of its own")
      ->check(cache_types)
      ->envname("LLAMA_ARG_CACHE_TYPE_V");
}

EngineOptions to_engine_options(const ModelOptions& options, bool exact) {
  EngineOptions result{.backend = options.backend,
                       .generic_cards = options.force_generic,
                       .n_threads = options.n_threads,
                       .n_ctx = options.n_ctx,
                       .n_ubatch = options.n_ubatch};
  if (exact && result.backend == "auto") result.backend = "cpu";
  apply_device(options.device, result);
  result.n_cpu_moe = options.cpu_moe ? -1 : options.n_cpu_moe;
  result.tensor_places = options.tensor_places;
  result.n_gpu_layers = parse_gpu_layers(options.gpu_layers);
  const auto cache_type = [&](const std::string& name) {
    if (!name.empty()) return *dtype_from_name(name);
    return exact || result.backend == "ref" ? DType::kF32 : DType::kF16;
  };
  result.k_dtype = cache_type(options.cache_type_k);
  result.v_dtype = cache_type(options.cache_type_v);
  return result;
}

Engine open_engine(gguf::File file, EngineOptions options) {
  CatchInterrupt interrupt;
  ProgressBar bar("loading the model", /*after_seconds=*/2);
  options.on_plan = [](const MemoryPlan& plan) {
    if (!plan.machine.is_host) inform("{}", describe(plan));
    if (!plan.note.empty()) inform("{}", plan.note);
  };
  options.on_load = [&, on_load = options.on_load](int64_t done, int64_t total) {
    if (on_load) on_load(done, total);
    if (interrupt.flag()) fail("cancelled while loading the model");
    bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  };
  Engine engine = Engine::open(std::move(file), options);
  for (const Finding& finding : engine.model().findings) {
    if (finding.level == FindingLevel::kNote) continue;
    warn("{}{}", finding.text, finding.fix.empty() ? "" : " (" + finding.fix + ")");
  }
  return engine;
}

gguf::File open_model_file(const ModelOptions& options) {
  if (!options.model.empty()) return gguf::File::open(options.model, options.overrides);
  if (embedded_model().empty()) fail("this build has no embedded model; give a file with -m");
  return gguf::File::parse(embedded_model(), "embedded demo model", options.overrides);
}

std::vector<int32_t> parse_ids(const std::string& text) {
  std::vector<int32_t> ids;
  size_t at = 0;
  while (at < text.size()) {
    const size_t start = text.find_first_not_of(" \t\r\n,[]", at);
    if (start == std::string::npos) break;
    const size_t end = std::min(text.find_first_of(" \t\r\n,[]", start), text.size());
    int32_t id = 0;
    const auto [rest, error] = std::from_chars(text.data() + start, text.data() + end, id);
    if (error != std::errc() || rest != text.data() + end || id < 0) {
      fail("--ids: \"{}\" is not a token id; give whole numbers like 1,2,3", text.substr(start, end - start));
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

std::string print_ids(std::span<const int32_t> ids) { return fmt::format("[{}]", fmt::join(ids, ",")); }

std::string read_text_file(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be read: {}", path, std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) fail("{}: cannot be read: {}", path, std::strerror(errno));
  return text;
}

}  // namespace glint::app
