// SPDX-License-Identifier: Apache-2.0
#include "apps/prompt.h"

#include "apps/model_options.h"
#include "base/check.h"

namespace glint::app {

using Json = nlohmann::ordered_json;

void add_prompt_options(CLI::App& command, PromptOptions& options) {
  const char* group = "Chat";
  command.add_option("--system-prompt", options.system, "-sys: system message")->type_name("TEXT")->group(group);
  command.add_option("--system-prompt-file", options.system_file, "-sysf: system message in a file")->type_name("FILE")->group(group);
  command.add_flag("--conversation", options.conversation, "-cnv: through the chat template")->group(group);
  command.add_flag("--no-conversation", options.no_conversation, "-no-cnv: raw text")->group(group);
  command.add_flag("--single-turn", options.single_turn, "-st: one turn through the chat template")->group(group);
  command.add_flag_callback("--jinja,--no-jinja", [] {}, "accepted; templates are always Jinja")->group(group);
  command.add_option("--chat-template", options.template_text, "a template instead of the file's")->type_name("JINJA")->group(group);
  command.add_option("--chat-template-file", options.template_file, "the same in a file")->type_name("FILE")->group(group);
  command.add_option("--chat-template-kwargs", options.variables, "variables of the template, as {\"enable_thinking\": false}")
      ->type_name("JSON")->group(group);
  command.add_option("--reasoning", options.reasoning, "-rea: thinking on, off, or as the template has it")
      ->check(CLI::IsMember({"on", "off", "auto"}))->group(group);
  command.add_flag("-e,--escape,!--no-escape", options.escape, "\\n, \\t, ... in -p are escapes (default)");
}

ChatTemplate chat_template(const PromptOptions& options, const gguf::File& file) {
  const gguf::Metadata& metadata = file.metadata();
  const std::map<std::string, std::string> tokens = template_tokens(metadata);
  if (!options.template_file.empty()) return ChatTemplate(read_text_file(options.template_file), tokens);
  if (!options.template_text.empty()) return ChatTemplate(options.template_text, tokens);
  if (!metadata.contains("tokenizer.chat_template")) {
    fail("{}: the file has no chat template; give one with --chat-template-file", file.name());
  }
  return ChatTemplate(metadata.string("tokenizer.chat_template"), tokens);
}

Json template_variables(const PromptOptions& options, const ChatTemplate& chat_template) {
  Json variables = Json::object();
  if (!options.variables.empty()) {
    variables = Json::parse(options.variables, nullptr, false);
    if (!variables.is_object()) fail("--chat-template-kwargs: expected a JSON object like {{\"enable_thinking\": false}}");
  }
  if (options.reasoning == "on" || options.reasoning == "off") {
    const std::string& name = chat_template.capabilities().thinking_variable;
    if (name.empty()) fail("--reasoning {}: this template has no switch for thinking", options.reasoning);
    variables[name] = options.reasoning == "on";
  }
  return variables;
}

Json system_messages(const PromptOptions& options) {
  Json messages = Json::array();
  const std::string text = options.system_file.empty() ? options.system : read_text_file(options.system_file);
  if (!text.empty()) messages.push_back({{"role", "system"}, {"content", text}});
  return messages;
}

ChatIds render_ids(const ChatTemplate& chat_template, const Tokenizer& tokenizer, const Json& messages, const Json& variables) {
  ChatInput input;
  input.messages = &messages;
  input.variables = &variables;
  const ChatPrompt prompt = chat_template.render(input);
  const ReplyFormat format = ReplyFormat::detect(chat_template.source());
  return {tokenizer.encode(prompt.text, {.add_special = true, .parse_special = true, .single_bos = true, .literal = prompt.literal}),
          format, thinking_start(prompt.text, format)};
}

}  // namespace glint::app
