// SPDX-License-Identifier: Apache-2.0
//
// `glint logits`: token ids to logits as JSON, for comparing engines. The cache is f32 unless -ctk says otherwise, so that
// nothing but the weights is rounded.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "base/check.h"
#include "engine/engine.h"

namespace glint::app {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string ids;
  bool all = false;
};

/// Shortest text that reads back as the same float; JSON has no word for infinities and NaN.
void print_row(std::span<const float> row) {
  fmt::memory_buffer out;
  out.push_back('[');
  for (size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out.push_back(',');
    if (row[i] - row[i] == 0) {
      fmt::format_to(std::back_inserter(out), "{}", row[i]);
    } else {
      fmt::format_to(std::back_inserter(out), "null");
    }
  }
  out.push_back(']');
  std::fwrite(out.data(), 1, out.size(), stdout);
}

void logits(const LogitsOptions& options) {
  const std::vector<int32_t> ids = parse_ids(options.ids);
  if (ids.empty()) fail("--ids: at least one id is needed");
  EngineOptions engine_options = to_engine_options(options.model, /*exact=*/true);
  if (engine_options.n_ctx == 0) engine_options.n_ctx = static_cast<int>(ids.size());
  Engine engine = open_engine(open_model_file(options.model), engine_options);
  engine.check_ids(ids);
  fmt::print("{{\"logits\":[");
  bool first = true;
  engine.for_each_logits(ids, options.all, [&](std::span<const float> row) {
    if (!first) fmt::print(",");
    first = false;
    print_row(row);
  });
  fmt::print("]}}\n");
}

}  // namespace

void add_logits_command(CLI::App& app) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command = app.add_subcommand("logits", "Token ids to logits as JSON");
  command->footer(
      "Examples:\n"
      "  glint logits -m model.gguf --ids 1,2,3                  after the last id\n"
      "  glint logits -m model.gguf --ids 1,2,3 --all --backend ref\n");
  add_model_options(*command, options->model, false);
  command->add_option("--ids", options->ids, "ids, as 1,2,3 or [1,2,3]")->type_name("IDS")->required();
  command->add_flag("--all", options->all, "every position, not the last alone");
  command->callback([options] { logits(*options); });
}

}  // namespace glint::app
