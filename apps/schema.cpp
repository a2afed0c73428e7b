// SPDX-License-Identifier: Apache-2.0
//
// `glint schema`: whether JSON schemas can be enforced, and everything in them that cannot, before a request is refused
// for it.
#include <fmt/format.h>

#include <memory>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "base/check.h"
#include "grammar/json_schema.h"

namespace glint::app {
namespace {

using Json = nlohmann::ordered_json;

struct SchemaOptions {
  std::vector<std::string> files;
  bool json = false;
};

/// What stands in the way of enforcing a schema, each with its place; nothing: it is enforced in full.
std::vector<std::string> problems_of(const std::string& text) {
  constexpr std::string_view kLeftOut = "; ignored";
  grammar::JsonSchemaOptions lenient;
  lenient.strict = false;  // names all places, not the first
  try {
    std::vector<std::string> problems = grammar::compile_json_schema_text(text, lenient).warnings;
    for (std::string& problem : problems) {
      if (problem.ends_with(kLeftOut)) problem.resize(problem.size() - kLeftOut.size());
    }
    return problems;
  } catch (const Error& error) {
    return {error.what()};
  }
}

void check_schemas(const SchemaOptions& options) {
  Json report = Json::array();
  size_t n_refused = 0;
  for (const std::string& file : options.files) {
    const std::vector<std::string> problems = problems_of(read_text_file(file));
    if (!problems.empty()) ++n_refused;
    report.push_back({{"file", file}, {"enforced", problems.empty()}, {"problems", problems}});
    if (options.json) continue;
    if (problems.empty()) fmt::print("{}: enforced in full\n", file);
    for (const std::string& problem : problems) fmt::print("{}: {}\n", file, problem);
  }
  if (options.json) fmt::print("{}\n", report.dump(2));
  if (n_refused > 0) {
    fail("{} of {} {} cannot be enforced in full; docs/STRUCTURED_OUTPUT.md says what can", n_refused,
         options.files.size(), options.files.size() == 1 ? "schema" : "schemas");
  }
}

}  // namespace

void add_schema_command(CLI::App& app) {
  auto options = std::make_shared<SchemaOptions>();
  CLI::App* command = app.add_subcommand("schema", "Whether JSON schemas can be enforced");
  command->footer(
      "Examples:\n"
      "  glint schema person.json                       exit status 0: all of it is enforced\n"
      "  glint schema --json tools/*.json               every place that is not, for scripts\n");
  command->add_option("file", options->files, "JSON schemas; - for stdin")
      ->type_name("FILE")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { check_schemas(*options); });
}

}  // namespace glint::app
