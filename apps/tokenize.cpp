// SPDX-License-Identifier: Apache-2.0
//
// `glint tokenize`: text to token ids, and `glint detokenize`: ids to text. Only the file's vocabulary is read.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "base/check.h"
#include "text/tokenizer.h"

namespace glint::app {
namespace {

struct TokenizeOptions {
  ModelOptions model;
  std::string text;
  std::string file;
  bool ids_only = false;
  bool no_parse_special = false;
  bool add_bos = false;
};

void tokenize(const TokenizeOptions& options, bool has_text) {
  if (has_text == !options.file.empty()) fail("tokenize: give the text with -p TEXT or -f FILE (- for stdin)");
  const std::string text = has_text ? options.text : read_text_file(options.file);
  const gguf::File file = open_model_file(options.model);
  const Tokenizer tokenizer(vocab_from_gguf(file.metadata()));
  const std::vector<int32_t> ids =
      tokenizer.encode(
      text, {.add_special = options.add_bos, .parse_special = !options.no_parse_special, .single_bos = false, .literal = {}});
  if (options.ids_only) {
    fmt::print("{}\n", print_ids(ids));
    return;
  }
  for (int32_t id : ids) fmt::print("{:7d}  {}\n", id, nlohmann::json(tokenizer.decode(std::vector<int32_t>{id})).dump());
}

struct DetokenizeOptions {
  ModelOptions model;
  std::string ids;
  bool skip_special = false;
};

void detokenize(const DetokenizeOptions& options) {
  const gguf::File file = open_model_file(options.model);
  const Tokenizer tokenizer(vocab_from_gguf(file.metadata()));
  const std::vector<int32_t> ids = parse_ids(options.ids);
  for (int32_t id : ids) {
    if (id >= tokenizer.vocab().size()) fail("--ids: {} is outside the vocabulary of {} tokens", id, tokenizer.vocab().size());
  }
  fmt::print("{}", tokenizer.decode(ids, {.skip_special = options.skip_special}));
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Text to token ids");
  command->footer(
      "Examples:\n"
      "  glint tokenize -p \"Hello world\"                    one token a line\n"
      "  glint tokenize -m model.gguf --ids -f prompt.txt    a JSON array\n");
  add_file_options(*command, options->model, false);
  auto* text = command->add_option("-p,--prompt", options->text, "the text")->type_name("TEXT");
  command->add_option("-f,--file", options->file, "the text in a file; - for stdin")->type_name("FILE");
  command->add_flag("--ids", options->ids_only, "print a JSON array of ids");
  command->add_flag("--no-parse-special", options->no_parse_special, "control tokens' text stays plain text");
  command->add_flag("--add-bos", options->add_bos, "add what the model wants at the beginning and end");
  command->callback([options, text] { tokenize(*options, text->count() > 0); });
}

void add_detokenize_command(CLI::App& app) {
  auto options = std::make_shared<DetokenizeOptions>();
  CLI::App* command = app.add_subcommand("detokenize", "Token ids to text");
  command->footer("Example:\n  glint detokenize -m model.gguf --ids 785,6722,315\n");
  add_file_options(*command, options->model, false);
  command->add_option("--ids", options->ids, "ids, as 1,2,3 or [1,2,3]")->type_name("IDS")->required();
  command->add_flag("--skip-special", options->skip_special, "leave control tokens out");
  command->callback([options] { detokenize(*options); });
}

}  // namespace glint::app
