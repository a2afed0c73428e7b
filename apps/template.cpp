// SPDX-License-Identifier: Apache-2.0
//
// `glint template`: messages to the prompt that the model sees, exactly.
#include <fmt/format.h>

#include <memory>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/prompt.h"
#include "base/check.h"
#include "text/chat_render.h"

namespace glint::app {
namespace {

using Json = nlohmann::ordered_json;

struct TemplateOptions {
  ModelOptions model;
  std::string template_file;
  std::string messages;
  std::string tools;
  std::string variables;
  bool no_generation_prompt = false;
  bool as_is = false;
};

Json read_json(const std::string& flag, const std::string& path, Json::value_t type) {
  Json value = Json::parse(read_text_file(path), nullptr, false);
  if (value.is_discarded()) fail("{} {}: not valid JSON", flag, path);
  if (value.is_object() && value.contains("messages") && type == Json::value_t::array) value = value["messages"];
  if (value.type() != type) fail("{} {}: expected a JSON array", flag, path);
  return value;
}

void render(const TemplateOptions& options) {
  PromptOptions prompt;
  prompt.template_file = options.template_file;
  prompt.variables = options.variables;
  const ChatTemplate chat = options.template_file.empty() ? chat_template(prompt, open_model_file(options.model))
                                                          : ChatTemplate(read_text_file(options.template_file));
  const Json messages = read_json("--messages", options.messages, Json::value_t::array);
  const Json tools = options.tools.empty() ? Json() : read_json("--tools", options.tools, Json::value_t::array);
  const Json variables = template_variables(prompt, chat);
  ChatInput input;
  input.messages = &messages;
  input.tools = options.tools.empty() ? nullptr : &tools;
  input.variables = &variables;
  input.add_generation_prompt = !options.no_generation_prompt;
  const std::string text = options.as_is ? render_as_is(jinja::Template(chat.source()), {}, input).text : chat.render(input).text;
  fmt::print("{}", text);
}

}  // namespace

void add_template_command(CLI::App& app) {
  auto options = std::make_shared<TemplateOptions>();
  CLI::App* command = app.add_subcommand("template", "Messages to the prompt that the model sees");
  command->footer(
      "Examples:\n"
      "  glint template -m model.gguf --messages messages.json\n"
      "  glint template --template-file chat.jinja --messages messages.json --tools tools.json --kwargs '{\"enable_thinking\": false}'\n");
  add_file_options(*command, options->model, false);
  command->add_option("--template-file", options->template_file, "a Jinja template instead of the model's")->type_name("FILE");
  command->add_option("--messages", options->messages, "JSON array of messages; - for stdin")->type_name("FILE")->required();
  command->add_option("--tools", options->tools, "JSON array of tool definitions")->type_name("FILE");
  command->add_option("--kwargs", options->variables, "JSON object of template variables")->type_name("JSON");
  command->add_flag("--no-generation-prompt", options->no_generation_prompt, "do not open an assistant turn");
  command->add_flag("--as-is", options->as_is, "give the messages to the template unchanged, fitted to nothing");
  command->callback([options] { render(*options); });
}

}  // namespace glint::app
