// SPDX-License-Identifier: Apache-2.0
//
// `glint synth`: writes a model of known shapes with random weights, for benchmarks and tests.
#include <fmt/format.h>

#include <memory>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "gguf/synth.h"

namespace glint::app {
namespace {

struct SynthCommand {
  gguf::SynthOptions synth;
  std::string output;
};

std::string list(const char* title, const std::vector<gguf::SynthName>& names) {
  std::string text = fmt::format("{}:\n", title);
  for (const gguf::SynthName& entry : names) text += fmt::format("  {:22}{}\n", entry.name, entry.description);
  return text;
}

void synth(const SynthCommand& command) {
  gguf::Writer writer;
  gguf::synthesize(command.synth, writer);
  CatchInterrupt interrupt;
  ProgressBar bar("writing " + command.output);
  writer.write(command.output, [&](uint64_t done, uint64_t total) {
    if (interrupt.flag()) fail("{}: cancelled; nothing was left behind", command.output);
    bar.update(done, total);
  });
  inform("{}: {}", command.output, format_bytes(static_cast<double>(writer.total_bytes())));
}

}  // namespace

void add_synth_command(CLI::App& app) {
  auto options = std::make_shared<SynthCommand>();
  CLI::App* command = app.add_subcommand("synth", "Write a model of known shapes with random weights");
  command->footer(
      "Examples:\n"
      "  glint synth glm-4.7-flash --type q4_k_m -o glm.gguf              18 GB\n"
      "  glint synth glm-4.7-flash --layers 3 -o glm3.gguf                1.3 GB\n"
      "  glint synth glm-4.7-flash-tiny --type f16 -o tiny.gguf\n\n" +
      list("Models", gguf::synth_models()) + "\n" + list("Types (or any number format)", gguf::synth_types()));
  command->add_option("model", options->synth.model, "which model")->type_name("MODEL")->required();
  command->add_option("-o,--output", options->output, "file to write")->type_name("FILE")->required();
  command->add_option("--type", options->synth.type, "number formats of the weights")->type_name("TYPE")->capture_default_str();
  command->add_option("--layers", options->synth.layers, "layers; 0: as many as the model has")->check(CLI::Range(0, 4096));
  command->add_option("-s,--seed", options->synth.seed, "of the random weights")->type_name("N")->capture_default_str();
  command->add_option("-t,--threads", options->synth.threads, "0: all; changes no byte")->check(CLI::Range(0, 1024));
  command->add_option("--tokenizer", options->synth.tokenizer, "a byte-level BPE tokenizer.json to put in")->type_name("FILE");
  command->add_option("--chat-template", options->synth.chat_template, "a chat template to put in")->type_name("FILE");
  command->callback([options] { synth(*options); });
}

}  // namespace glint::app
