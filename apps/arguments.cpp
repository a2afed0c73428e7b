// SPDX-License-Identifier: Apache-2.0
#include "apps/arguments.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>

#include "apps/terminal.h"
#include "base/check.h"

namespace glint::app {
namespace {

/// llama.cpp's short names of more than one letter, and its older spellings.
const std::map<std::string_view, std::string_view> kAliases = {
    {"-sys", "--system-prompt"},   {"-sysf", "--system-prompt-file"}, {"-st", "--single-turn"},
    {"-cnv", "--conversation"},    {"-no-cnv", "--no-conversation"},  {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"},    {"-fa", "--flash-attn"},           {"-ub", "--ubatch-size"},
    {"-tb", "--threads-batch"},    {"-dev", "--device"},              {"-ngl", "--n-gpu-layers"},
    {"--gpu-layers", "--n-gpu-layers"}, {"--predict", "--n-predict"}, {"--kv-override", "--override-kv"},
    {"-co", "--color"},            {"-bf", "--binary-file"},          {"-mli", "--multiline-input"},
    {"-sp", "--special"},          {"-rea", "--reasoning"},           {"-hf", "--hf-repo"},
    {"-hfr", "--hf-repo"},         {"-hff", "--hf-file"},             {"-hft", "--hf-token"},
    {"-mu", "--model-url"},        {"-ot", "--override-tensor"},      {"-cmoe", "--cpu-moe"},
    {"-ncmoe", "--n-cpu-moe"},     {"-sm", "--split-mode"},           {"-ts", "--tensor-split"},
    {"-mg", "--main-gpu"},         {"-nkvo", "--no-kv-offload"},      {"-lv", "--verbosity"},
    {"-fit", "--fit"},             {"-fitt", "--fit-target"},         {"-fitc", "--fit-ctx"},
    {"-lm", "--load-mode"},        {"-dio", "--direct-io"},           {"-kvu", "--kv-unified"},
    {"-ctxcp", "--ctx-checkpoints"}, {"-nr", "--no-repack"},          {"-nopo", "--no-op-offload"},
    {"-np", "--parallel"},         {"-bs", "--backend-sampling"},     {"-jf", "--json-schema-file"},
    {"-md", "--model-draft"},      {"-cb", "--cont-batching"},        {"-l", "--logit-bias"},
    {"-pg", "--pg"},               {"-npp", "--npp"},                 {"-ntg", "--ntg"},
    {"-npl", "--npl"},             {"-pps", "--pps"},
    {"-to", "--timeout"},
};

/// Flags of llama.cpp that scripts pass and that change nothing here: value count and what to say.
struct Unsupported {
  int values;
  std::string_view note;
};
const std::map<std::string_view, Unsupported> kUnsupported = {
    {"--split-mode", {1, "models are not split over cards"}},
    {"--tensor-split", {1, "models are not split over cards"}},
    {"--main-gpu", {1, "-dev chooses the card"}},
    {"--no-kv-offload", {0, "the cache goes where the model goes"}},
    {"--fit", {1, "what was not set is always chosen to fit"}},
    {"--fit-target", {1, "what was not set is always chosen to fit"}},
    {"--fit-ctx", {1, "what was not set is always chosen to fit"}},
    {"--load-mode", {1, "files are always memory-mapped"}},
    {"--mmap", {0, "files are always memory-mapped"}},
    {"--no-mmap", {0, "files are always memory-mapped"}},
    {"--mlock", {0, "pages are not locked"}},
    {"--direct-io", {0, "files are always memory-mapped"}},
    {"--numa", {1, "threads are not bound to NUMA nodes"}},
    {"--no-repack", {0, "weights are not repacked on the CPU"}},
    {"--no-host", {0, "tensors lie where they are used"}},
    {"--no-op-offload", {0, "tensors are used where they lie"}},
    {"--kv-unified", {0, "the cache is always shared"}},
    {"--swa-full", {0, "the whole window cache is always kept"}},
    {"--ctx-checkpoints", {1, "not needed: the cache can be cut anywhere"}},
    {"--backend-sampling", {0, "sampling is chosen automatically"}},
    {"--no-warmup", {0, "there is no warm-up run"}},
    {"--warmup", {0, "there is no warm-up run"}},
    {"--cont-batching", {0, "always on"}},
    {"--color", {0, "colour follows the terminal"}},
    {"--simple-io", {0, "plain output is chosen when stdout is not a terminal"}},
    {"--log-disable", {0, "logs go to stderr; redirect it"}},
    {"--no-display-prompt", {0, "the prompt is never printed"}},
    {"--perf", {0, "timings are always shown on stderr"}},
    {"--no-perf", {0, "timings are shown on stderr; redirect it"}},
    {"--show-timings", {0, "timings are always shown on stderr"}},
    {"--prio", {1, "thread priority is left alone"}},
    {"--poll", {1, "threads spin briefly, then sleep"}},
    {"--cpu-strict", {1, "threads are not bound"}},
    {"--offline", {0, "glint never uses the network by itself"}},
    {"--ppl-output-type", {1, "running values are always printed as [1]4.1234,[2]..."}},
    {"--context-shift", {0, "generation stops when the context is full"}},
    {"--no-context-shift", {0, "generation always stops when the context is full"}},
};

/// Flags whose job glint cannot do yet: refusing beats ignoring, because the answer would differ.
const std::map<std::string_view, std::string_view> kRefused = {
    {"--hf-repo", "downloading is not available; fetch the file and give it with -m"},
    {"--hf-file", "downloading is not available; fetch the file and give it with -m"},
    {"--hf-token", "downloading is not available; fetch the file and give it with -m"},
    {"--model-url", "downloading is not available; fetch the file and give it with -m"},
    {"--lora", "adapters are not supported; merge the adapter into the model file"},
    {"--lora-scaled", "adapters are not supported; merge the adapter into the model file"},
    {"--control-vector", "control vectors are not supported"},
    {"--mmproj", "images are not supported"},
    {"--model-draft", "draft models are not supported"},
    {"--rpc", "remote backends are not supported"},
    {"--hellaswag", "task scores are not supported; perplexity and --kl-divergence are"},
    {"--winogrande", "task scores are not supported; perplexity and --kl-divergence are"},
    {"--multiple-choice", "task scores are not supported; perplexity and --kl-divergence are"},
};

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

/// "-fa" and "--flash-attn" may stand alone or be followed by on, off, auto, 1, 0, true or false; for `bench` by several.
bool is_switch_value(const std::string& text) {
  static const std::vector<std::string> kValues = {"on", "off", "auto", "1", "0", "true", "false"};
  return std::find(kValues.begin(), kValues.end(), text.substr(0, text.find(','))) != kValues.end();
}

}  // namespace

std::string nearest_match(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t substituted = diagonal + (word[i - 1] != candidate[j - 1]);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::vector<std::string> normalise_arguments(const CLI::App& command, const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool is_flag = argument.size() > 1 && argument[0] == '-' && !(argument[1] >= '0' && argument[1] <= '9');
    if (!is_flag || argument == "--") {
      result.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    if (auto alias = kAliases.find(name); alias != kAliases.end()) name = alias->second;
    // llama.cpp accepts --top_k for --top-k.
    if (name.rfind("--", 0) == 0) std::replace(name.begin() + 2, name.end(), '_', '-');
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) {
      if (auto refused = kRefused.find(name); refused != kRefused.end()) fail("{}: {}", name, refused->second);
      auto unsupported = kUnsupported.find(name);
      if (unsupported == kUnsupported.end()) {
        const std::string near = nearest_match(name, option_names(command));
        fail("unknown flag {} of glint {}{}; see glint {} --help", argument.substr(0, equals), command.get_name(),
             near.empty() ? "" : ": did you mean " + near + "?", command.get_name());
      }
      warn("{} has no effect: {}", name, unsupported->second.note);
      if (equals == std::string::npos) i += static_cast<size_t>(unsupported->second.values);
      continue;
    }
    if (equals != std::string::npos) {
      result.push_back(name + argument.substr(equals));
      continue;
    }
    if (name == "--flash-attn") {
      const bool has_value = i + 1 < arguments.size() && is_switch_value(arguments[i + 1]);
      result.push_back("--flash-attn=" + (has_value ? arguments[++i] : std::string("on")));
      continue;
    }
    if (option->get_expected_min() == 0) {
      result.push_back(name);
      continue;
    }
    if (i + 1 >= arguments.size()) fail("{} needs a value; see glint {} --help", name, command.get_name());
    // One word, so that a value that begins with '-' stays a value.
    result.push_back(name.rfind("--", 0) == 0 ? name + "=" + arguments[i + 1] : name + arguments[i + 1]);
    ++i;
  }
  return result;
}

}  // namespace glint::app
