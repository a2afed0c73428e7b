// SPDX-License-Identifier: Apache-2.0
#include "server/chat_fields.h"

#include "base/printable.h"
#include "server/api_error.h"
#include "server/constraint_fields.h"
#include "server/settings.h"

namespace glint::server {
namespace {

bool wants_raw_text(const Fields& fields) {
  const std::string* format = fields.string("reasoning_format");
  if (format == nullptr || *format == "auto" || *format == "deepseek" || *format == "deepseek-legacy") return false;
  if (*format == "none") return true;
  throw ApiError::invalid(
      fmt::format("reasoning_format: \"{}\" is unknown; known are none, auto, deepseek, deepseek-legacy", printable(*format)));
}

/// Ends the thought after so many tokens.
void limit_thinking(Request& request, int n_tokens, ThinkingStart start, const Service& service) {
  if (n_tokens < 0 || start == ThinkingStart::kNone) return;
  const ThinkingTags& tags = service.reply_format().thinking;
  request.output.thinking_budget = {.n_tokens = n_tokens,
                                    .end_ids = service.tokenizer().encode(tags.close, {.parse_special = true}),
                                    .tags = tags,
                                    .inside = start == ThinkingStart::kInside};
}

int read_budget(const Fields& fields, const Service& service) {
  int budget = service.options().reasoning_budget;
  for (const char* name : {"reasoning_budget", "thinking_budget_tokens"}) {
    budget = fields.count(name, -1).value_or(budget);
  }
  return budget;
}

}  // namespace

ChatMessages read_chat(const Fields& fields, const Service& service) {
  ChatMessages chat;
  const Json* messages = fields.array("messages");
  if (messages == nullptr) fields.refuse("messages", "an array");
  chat.messages = *messages;
  chat.tools = read_tools(fields).offered;
  if (const Json* variables = fields.object("chat_template_kwargs")) chat.variables = *variables;
  chat.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
  if (const std::string* effort = fields.string("reasoning_effort")) {
    if (*effort == "none") chat.thinking = false;
    if (!chat.variables.contains("reasoning_effort")) chat.variables["reasoning_effort"] = *effort;
  }
  if (const std::optional<bool> thinking = fields.boolean("thinking")) chat.thinking = thinking;
  if (read_budget(fields, service) == 0) chat.thinking = false;
  return chat;
}

PreparedChat prepare_chat(const Fields& fields, Service& service) {
  PreparedChat prepared;
  Request& request = prepared.request;
  request = read_request(fields, service, {"max_tokens", "max_completion_tokens", "n_predict"});
  const ChatMessages chat = read_chat(fields, service);
  ChatIds rendered = render_chat(service, chat);
  request.ids = std::move(rendered.ids);
  request.output.shown_ids = shown_marker_ids(service.reply_format(), service.tokenizer().vocab());
  limit_thinking(request, read_budget(fields, service), rendered.thinking, service);
  const OfferedTools tools = read_tools(fields);
  request.output.constraint = read_constraint(fields, service, tools, rendered.thinking);
  prepared.format = {.is_raw = wants_raw_text(fields),
                     .inside_thinking = rendered.thinking == ThinkingStart::kInside,
                     .is_bound = request.output.constraint != nullptr,
                     .one_call = !tools.may_be_parallel,
                     .tools = tools.offered,
                     .slot = read_slot(fields)};
  return prepared;
}

}  // namespace glint::server
