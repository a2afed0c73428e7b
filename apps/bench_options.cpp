// SPDX-License-Identifier: Apache-2.0
#include "apps/bench_options.h"

#include <charconv>
#include <map>

#include "apps/device_options.h"
#include "base/check.h"

namespace glint::app {
namespace {

constexpr size_t kMostValues = 1000;  // of one list

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> pieces;
  size_t at = 0;
  while (true) {
    const size_t end = text.find(separator, at);
    pieces.push_back(text.substr(at, end - at));
    if (end == std::string::npos) return pieces;
    at = end + 1;
  }
}

std::vector<std::string> text_list(const std::vector<std::string>& texts, const std::string& fallback) {
  std::vector<std::string> values;
  for (const std::string& text : texts) {
    for (const std::string& piece : split(text, ',')) values.push_back(piece);
  }
  if (values.empty()) values.push_back(fallback);
  return values;
}

/// A number at the front of `text`, which it is removed from.
bool take_number(std::string_view& text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

/// False when `text` is neither a number nor a range.
bool add_range(std::string_view text, std::vector<int>& values) {
  int first = 0;
  if (!take_number(text, first)) return false;
  int last = first, step = 1;
  bool multiplies = false;
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    if (!take_number(text, last)) return false;
    if (text.starts_with('+') || text.starts_with('*')) {
      multiplies = text[0] == '*';
      text.remove_prefix(1);
      if (!take_number(text, step)) return false;
    }
  }
  if (!text.empty() || last < first || step < 1 || (multiplies && (step < 2 || first < 1))) return false;
  for (int64_t value = first; value <= last; value = multiplies ? value * step : value + step) {
    if (values.size() >= kMostValues) return false;
    values.push_back(static_cast<int>(value));
  }
  return true;
}

DType cache_type(const char* flag, const std::string& name) {
  const std::optional<DType> type = dtype_from_name(name);
  if (!type) fail("{} {}: known are f32, f16, bf16 and q8_0", flag, name);
  return *type;
}

void check_switch(const std::string& text) {
  static const std::set<std::string> kValues = {"on", "off", "auto", "1", "0", "true", "false"};
  if (!kValues.contains(text)) fail("-fa {}: expected on, off, auto, 1 or 0", text);
}

}  // namespace

std::vector<int> number_list(const char* flag, const std::vector<std::string>& texts, std::vector<int> fallback) {
  if (texts.empty()) return fallback;
  std::vector<int> values;
  for (const std::string& piece : text_list(texts, "")) {
    if (!add_range(piece, values))
      fail("{} {}: expected a number, or a range like 128-512, 128-512+128 or 1-64*2, of at most {} values", flag,
           piece, kMostValues);
  }
  return values;
}

void add_bench_flags(CLI::App& command, BenchCommand& o) {
  const auto list = [&](const char* names, std::vector<std::string>& values, const char* description,
                        const char* type = "N") {
    return command.add_option(names, values, description)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1);
  };
  list("-m,--model", o.models, "GGUF file; without one the embedded demo model", "FILE")->envname("LLAMA_ARG_MODEL");
  list("--override-kv", o.overrides, "KEY=TYPE:VALUE; repeatable", "TEXT");
  list("-p,--n-prompt", o.n_prompt, "tokens of a prompt; 0: no such test (default 512)");
  list("-n,--n-gen", o.n_generate, "tokens to generate; 0: no such test (default 128)");
  list("--pg", o.prompt_generate, "-pg: a prompt, then tokens, timed together, as 512,128; repeatable", "PP,TG");
  list("-d,--n-depth", o.depth, "tokens that are in the cache before (default 0)");
  list("-b,--batch-size", o.n_batch, "prompts are cut into these first (default 2048)");
  list("--ubatch-size", o.n_ubatch, "-ub: tokens computed at once (default 512)");
  list("--cache-type-k", o.cache_type_k, "-ctk: f32, f16, bf16 or q8_0 (default f16)", "TYPE");
  list("--cache-type-v", o.cache_type_v, "-ctv: likewise", "TYPE");
  list("-t,--threads", o.n_threads, "threads (default: the cores really available)");
  list("--n-gpu-layers", o.gpu_layers, "-ngl: all (99) or 0");
  list("--device", o.devices, "-dev: none (the CPU) or a card, like CUDA0", "NAME")->envname("LLAMA_ARG_DEVICE");
  list("--flash-attn", o.flash_attn, "-fa: accepted; attention never stores its scores", "0|1");
  list("--n-cpu-moe", o.n_cpu_moe,
       "-ncmoe: on a card: layers from the first whose experts stay in host memory (default 0)");
  command.add_flag("--cpu-moe", o.cpu_moe, "-cmoe: likewise, of all layers");
  list("--override-tensor", o.tensor_places, "-ot: REGEX=CPU: likewise, of layers whose experts it finds", "TEXT")
      ->delimiter(',');
  command.add_option("--backend", o.backend, "auto, cpu, cuda or ref")
      ->check(CLI::IsMember({"auto", "ref", "cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("-r,--repetitions", o.repetitions, "runs of each test")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("-o,--output", o.format, "md, json, jsonl, csv or sql")
      ->check(CLI::IsMember({"md", "json", "jsonl", "csv", "sql"}))
      ->capture_default_str();
  command.add_flag("--force-generic", o.force_generic, "on a card: only kernels that every card runs, as on sm_120");
  command.add_flag("--no-warmup", o.no_warm_up, "no run before those that are timed");
  command.add_flag("--batched", o.batched, "many requests at once, as llama-batched-bench measures them");
  list("--npp", o.batch_prompt, "-npp: with --batched, tokens of each prompt (default 128)");
  list("--ntg", o.batch_generate, "-ntg: and tokens to generate of each (default 128)");
  list("--npl", o.batch_requests, "-npl: and requests at once (default 1,2,4,8)");
  command.add_flag("--pps", o.shared_prompt, "-pps: all requests have the same prompt");
}

std::vector<BenchSetup> bench_setups(const BenchCommand& o) {
  std::vector<BenchSetup> setups = {{}};
  setups[0].engine.backend = o.backend;
  setups[0].engine.generic_cards = o.force_generic;
  setups[0].engine.tensor_places = o.tensor_places;
  // Multiplies what there is by one list.
  const auto by = [&](const auto& values, auto&& apply) {
    std::vector<BenchSetup> product;
    for (const BenchSetup& setup : setups) {
      for (const auto& value : values) {
        product.push_back(setup);
        apply(product.back(), value);
      }
    }
    if (product.size() > kMostValues) fail("these lists make more than {} combinations", kMostValues);
    setups = std::move(product);
  };
  by(o.models.empty() ? std::vector<std::string>{""} : o.models,
     [](BenchSetup& s, const std::string& v) { s.model = v; });
  by(text_list(o.gpu_layers, ""), [](BenchSetup& s, const std::string& v) {
    s.gpu_layers = v;
    s.engine.n_gpu_layers = parse_gpu_layers(v);
  });
  by(text_list(o.devices, ""), [](BenchSetup& s, const std::string& v) { apply_device(v, s.engine); });
  by(number_list("-ncmoe", o.n_cpu_moe, {0}), [&](BenchSetup& s, int v) { s.engine.n_cpu_moe = o.cpu_moe ? -1 : v; });
  for (const std::string& value : text_list(o.flash_attn, "auto")) check_switch(value);
  by(text_list(o.cache_type_k, "f16"),
     [](BenchSetup& s, const std::string& v) { s.engine.k_dtype = cache_type("-ctk", v); });
  by(text_list(o.cache_type_v, "f16"),
     [](BenchSetup& s, const std::string& v) { s.engine.v_dtype = cache_type("-ctv", v); });
  by(number_list("-b", o.n_batch, {2048}), [](BenchSetup& s, int v) { s.n_batch = v; });
  by(number_list("-ub", o.n_ubatch, {512}), [](BenchSetup& s, int v) { s.engine.n_ubatch = v; });
  by(number_list("-t", o.n_threads, {0}), [](BenchSetup& s, int v) { s.engine.n_threads = v; });
  for (const BenchSetup& setup : setups) {
    if (setup.n_batch < 1 || setup.engine.n_ubatch < 1) fail("-b and -ub must be at least 1");
    if (setup.engine.n_threads > 1024) fail("-t {}: at most 1024 threads", setup.engine.n_threads);
  }
  return setups;
}

std::vector<BenchTest> bench_tests(const BenchCommand& o) {
  std::vector<std::pair<int, int>> pairs;
  for (const std::string& text : o.prompt_generate) {
    const std::vector<int> pair = number_list("-pg", {text}, {});
    if (pair.size() != 2) fail("-pg {}: expected two numbers, like 512,128", text);
    pairs.emplace_back(pair[0], pair[1]);
  }
  std::vector<BenchTest> tests;
  for (int depth : number_list("-d", o.depth, {0})) {
    for (int n : number_list("-p", o.n_prompt, {512})) tests.push_back({n, 0, depth});
    for (int n : number_list("-n", o.n_generate, {128})) tests.push_back({0, n, depth});
    for (const auto& [prompt, generate] : pairs) tests.push_back({prompt, generate, depth});
  }
  std::erase_if(tests, [](const BenchTest& test) { return test.n_tokens() == 0; });
  if (tests.empty()) fail("nothing to measure: -p and -n are both 0");
  for (const BenchTest& test : tests) {
    if (int64_t{test.depth} + test.n_prompt + test.n_generate > 1 << 24) fail("{}: too long", test.name());
  }
  return tests;
}

std::vector<BatchedTest> batched_tests(const BenchCommand& o) {
  std::vector<BatchedTest> tests;
  for (int n_prompt : number_list("-npp", o.batch_prompt, {128})) {
    for (int n_generate : number_list("-ntg", o.batch_generate, {128})) {
      for (int n_requests : number_list("-npl", o.batch_requests, {1, 2, 4, 8})) {
        if (n_requests > 1024 || int64_t{n_requests} * (int64_t{n_prompt} + n_generate) > 1 << 24)
          fail("-npp {} -ntg {} -npl {}: too much at once", n_prompt, n_generate, n_requests);
        tests.push_back({n_prompt, n_generate, n_requests, o.shared_prompt});
      }
    }
  }
  return tests;
}

std::set<std::string> set_fields(const BenchCommand& o) {
  const std::map<std::string, const std::vector<std::string>*> lists = {
      {"n_batch", &o.n_batch},       {"n_ubatch", &o.n_ubatch},   {"type_k", &o.cache_type_k},
      {"type_v", &o.cache_type_v},   {"n_threads", &o.n_threads}, {"devices", &o.devices},
      {"flash_attn", &o.flash_attn}, {"n_cpu_moe", &o.n_cpu_moe},
  };
  std::set<std::string> fields;
  for (const auto& [field, texts] : lists) {
    if (!texts->empty()) fields.insert(field);
  }
  return fields;
}

}  // namespace glint::app
