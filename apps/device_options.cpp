// SPDX-License-Identifier: Apache-2.0
#include "apps/device_options.h"

#include <charconv>

#include "apps/model_options.h"
#include "base/check.h"
#include "make_backend.h"

namespace glint::app {
namespace {

/// All of `text` as a number.
bool parse_number(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

int64_t in_mebibytes(int64_t bytes) {
  return bytes >> 20;
}

}  // namespace

void apply_device(const std::string& device, EngineOptions& options) {
  if (device.empty()) return;
  if (device == "none") {
    if (options.backend != "ref") options.backend = "cpu";
    return;
  }
  if (device.find(',') != std::string::npos) fail("--device {}: a model runs on one card; name one", device);
  int card = -1;
  if (!device.starts_with("CUDA") || !parse_number(std::string_view(device).substr(4), card) || card < 0) {
    fail("--device {}: expected none (the CPU) or a card like CUDA0; --list-devices shows them", device);
  }
  options.backend = "cuda";
  options.card = card;
}

int parse_gpu_layers(const std::string& text) {
  if (text.empty() || text == "auto" || text == "all") return -1;
  int layers = 0;
  if (!parse_number(text, layers)) fail("-ngl {}: expected a number of layers, auto or all", text);
  return layers < 0 ? -1 : layers;
}

std::string device_list() {
  std::string text = "Available devices:\n";
  for (const Card& card : list_cards()) {
    text += fmt::format("  CUDA{}: {} ({} MiB", card.index, card.description, in_mebibytes(card.total_bytes));
    text += card.why_not.empty() ? fmt::format(", {} MiB free)\n", in_mebibytes(free_bytes_of_card(card.index)))
                                 : fmt::format("; cannot be used: {})\n", card.why_not);
  }
  return text + "  none: the CPU\n";
}

void add_device_list(CLI::App& command) {
  command
      .add_flag_callback(
          "--list-devices",
          [] {
            fmt::print("{}", device_list());
            throw CLI::Success();
          },
          "print the cards that answer, and end")
      ->trigger_on_parse();
}

void add_device_options(CLI::App& command, ModelOptions& options) {
  add_device_list(command);
  command
      .add_option("--backend", options.backend,
                  "auto (a card if one answers and the model fits), cpu, cuda, or ref (slow and exact)")
      ->check(CLI::IsMember({"auto", "ref", "cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("--device", options.device, "-dev: none (the CPU) or a card, like CUDA0")
      ->type_name("NAME")
      ->envname("LLAMA_ARG_DEVICE");
  command
      .add_option("--n-gpu-layers", options.gpu_layers,
                  "-ngl: all (auto, -1, 99, ...) or 0; a model goes to a card as a whole")
      ->type_name("N")
      ->envname("LLAMA_ARG_N_GPU_LAYERS");
  command
      .add_option_function<std::string>(
          "--flash-attn", [](const std::string&) {}, "-fa: accepted; attention never stores its scores")
      ->check(CLI::IsMember({"on", "off", "auto", "1", "0", "true", "false"}));
  command.add_flag("--cpu-moe", options.cpu_moe,
                   "-cmoe: on a card: all experts stay in host memory, where the CPU computes them");
  command.add_option("--n-cpu-moe", options.n_cpu_moe, "-ncmoe: likewise, of the first N layers")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--override-tensor", options.tensor_places,
                  "-ot: REGEX=CPU: likewise, of layers whose experts it finds; repeatable")
      ->type_name("TEXT")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1);
  command.add_flag("--force-generic", options.force_generic,
                   "on a card: only kernels that every card runs, as on sm_120");
}

}  // namespace glint::app
