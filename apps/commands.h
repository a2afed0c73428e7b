// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of the glint binary. Each function adds one to the command line; its callback does the work and
// reports trouble by throwing Error. One file a command: apps/<command>.cpp.
#pragma once

#include <CLI/CLI.hpp>

namespace glint::app {

void add_run_command(CLI::App& app);
void add_chat_command(CLI::App& app);
void add_serve_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_tokenize_command(CLI::App& app);
void add_detokenize_command(CLI::App& app);
void add_template_command(CLI::App& app);
void add_schema_command(CLI::App& app);
void add_logits_command(CLI::App& app);
void add_synth_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_perplexity_command(CLI::App& app);

}  // namespace glint::app
