// SPDX-License-Identifier: Apache-2.0
//
// Entry of the glint binary: picks the subcommand, lets arguments.cpp rewrite llama.cpp's forms, parses, and turns any
// Error into one line on stderr and exit status 1. Everything else lives in the command's own file.
// Tested by tests/integration/cli_test.py.
#include <algorithm>
#include <exception>
#include <new>

#include "apps/arguments.h"
#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/check.h"

namespace glint::app {
namespace {

constexpr const char* kFooter = R"(
Examples:
  glint run                                      the embedded demo model writes a short story
  glint run -m model.gguf -p "Once upon a time" -n 100
  glint chat -m GLM-4.7-Flash-Q4_K_M.gguf        talk to a model in the terminal
  glint inspect model.gguf                       what a file holds and what it will cost
  glint bench -m model.gguf                      how fast it runs here
  glint perplexity -m model.gguf -f wiki.txt     how well it predicts a text
Run "glint COMMAND --help" for the flags and examples of a command.)";

int run(int argc, char** argv) {
  CLI::App app{"glint runs GGUF language models on one machine.", "glint"};
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("glint ") + GLINT_VERSION);
  add_device_list(app);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_run_command(app);
  add_chat_command(app);
  add_serve_command(app);
  add_inspect_command(app);
  add_tokenize_command(app);
  add_detokenize_command(app);
  add_template_command(app);
  add_schema_command(app);
  add_logits_command(app);
  add_synth_command(app);
  add_bench_command(app);
  add_perplexity_command(app);

  std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (!arguments.empty() && arguments[0][0] != '-') {
      CLI::App* command = nullptr;
      std::vector<std::string> names;
      for (CLI::App* known : app.get_subcommands([](CLI::App*) { return true; })) {
        names.push_back(known->get_name());
        if (names.back() == arguments[0]) command = known;
      }
      if (command == nullptr) {
        const std::string near = nearest_match(arguments[0], names);
        fail("unknown command {}{}; see glint --help", arguments[0], near.empty() ? "" : ": did you mean " + near + "?");
      }
      std::vector<std::string> rest =
          normalise_arguments(*command, std::vector<std::string>(arguments.begin() + 1, arguments.end()));
      rest.insert(rest.begin(), arguments[0]);
      arguments = std::move(rest);
    }
    // CLI11 wants them last first.
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    print_log("error", error.what());
  } catch (const std::bad_alloc&) {
    print_log("error", "out of memory; try a smaller context (-c) or cache type (-ctk q8_0)");
  } catch (const std::exception& error) {
    print_log("error", error.what());
  }
  return 1;
}

}  // namespace
}  // namespace glint::app

int main(int argc, char** argv) { return glint::app::run(argc, argv); }
