// SPDX-License-Identifier: Apache-2.0
#include "c_api/request.h"

#include <cmath>

#include "base/printable.h"
#include "c_api/chat_prompt.h"
#include "c_api/status.h"

namespace glint::c_api {
namespace {

static_assert(sizeof(glint_request) == offsetof(glint_request, n_stop_strings) + sizeof(size_t));
static_assert(sizeof(glint_chat) == offsetof(glint_chat, is_complete) + sizeof(int32_t));

template <class T>
std::span<const T> items(const T* first, size_t n, const char* name) {
  if (first == nullptr && n > 0) fail("{} is NULL, but there are {}", name, n);
  return {first, n};
}

void set(SamplingParams& params, const glint_setting& setting) {
  const std::string wanted = setting.name == nullptr ? "" : setting.name;
  bool found = false;
  for_each_setting(params, [&](std::string_view name, std::string_view, auto& field) {
    if (name != wanted) return;
    found = true;
    using Field = typename std::remove_reference_t<decltype(field)>::value_type;
    if constexpr (std::is_integral_v<Field>) {
      // 2^53: up to there every whole number is a double.
      const double most = std::min(9007199254740992.0, static_cast<double>(std::numeric_limits<Field>::max()));
      if (!(std::fabs(setting.value) <= most) || setting.value != std::trunc(setting.value)) {
        fail("{} is {}; expected a whole number", name, setting.value);
      }
    }
    field = static_cast<Field>(setting.value);
  });
  if (!found) fail("settings: \"{}\" is unknown", printable(wanted));
}

ResolvedSampling sampling(const glint_engine& engine, const glint_request& given) {
  SamplingParams params;
  for (const glint_setting& setting : items(given.settings, given.n_settings, "settings")) set(params, setting);
  for (const glint_logit_bias& bias : items(given.logit_bias, given.n_logit_bias, "logit_bias")) {
    params.logit_bias.emplace_back(bias.id, bias.bias);
  }
  if (given.samplers != nullptr) params.samplers = parse_samplers(given.samplers);
  return resolve_sampling(params, {}, engine.facts().file().metadata());
}

Priority priority(int32_t given) {
  switch (given) {
    case GLINT_PRIORITY_NORMAL: return Priority::kNormal;
    case GLINT_PRIORITY_INTERACTIVE: return Priority::kInteractive;
    case GLINT_PRIORITY_BATCH: return Priority::kBatch;
    default: fail("priority: {} is unknown", given);
  }
}

/// Null where none is asked for.
std::shared_ptr<const Constraint> constraint(const glint_engine& engine, const glint_request& given, ThinkingStart start) {
  ConstraintSpec spec;
  spec.thinking = start;
  const std::string text = given.constraint == nullptr ? "" : given.constraint;
  switch (given.constraint_kind) {
    case GLINT_CONSTRAINT_NONE:
      if (given.constraint != nullptr) fail("constraint is given, but constraint_kind is not");
      return nullptr;
    case GLINT_CONSTRAINT_JSON_SCHEMA: spec.kind = ConstraintSpec::Kind::kJsonSchema; break;
    case GLINT_CONSTRAINT_LAX_JSON_SCHEMA: spec.strict = false; break;
    case GLINT_CONSTRAINT_REGEX: spec.kind = ConstraintSpec::Kind::kRegex; break;
    case GLINT_CONSTRAINT_GRAMMAR: spec.kind = ConstraintSpec::Kind::kGbnf; break;
    case GLINT_CONSTRAINT_TOOL_CALLS: {
      spec.kind = ConstraintSpec::Kind::kTools;
      spec.tool = text;
      const glint_chat chat = adopt(given.chat, "tool calls are asked for: chat");
      if (chat.tools == nullptr) fail("tool calls are asked for, but the chat has no tools");
      spec.text = chat.tools;
      break;
    }
    default: fail("constraint_kind: {} is unknown", given.constraint_kind);
  }
  if (spec.kind != ConstraintSpec::Kind::kTools) {
    if (given.constraint == nullptr) fail("constraint is NULL, but constraint_kind is {}", given.constraint_kind);
    spec.text = text;
  }
  std::shared_ptr<const Constraint> made = engine.constraints().compile(spec);
  for (const std::string& warning : made->warnings) engine.warn(warning);
  return made;
}

/// The ids; of a chat also how its answer may start.
ThinkingStart set_prompt(const glint_engine& engine, const glint_request& given, Request& request) {
  const int n_given = (given.prompt != nullptr) + (given.chat != nullptr) + (given.ids != nullptr);
  if (n_given != 1) fail("give one of prompt, chat and ids");
  if (given.ids != nullptr) {
    request.ids.assign(given.ids, given.ids + given.n_ids);
  } else if (given.prompt != nullptr) {
    request.ids = engine.facts().tokenizer().encode(
        given.prompt, {.add_special = true, .parse_special = true, .single_bos = true, .literal = {}});
  } else {
    const ChatPrompt prompt = render(engine, given.chat);
    request.ids = tokenize(engine, prompt);
    request.output.shown_ids = shown_marker_ids(engine.format, engine.facts().tokenizer().vocab());
    return thinking_start(prompt.text, engine.format);
  }
  return ThinkingStart::kNone;
}

int count(int32_t given, int otherwise, const char* name) {
  if (given < 0) fail("{} is {}; it cannot be negative", name, given);
  return given == 0 ? otherwise : given;
}

}  // namespace

Request make_request(const glint_engine& engine, const glint_request& given) {
  Request request;
  GenerateOptions& output = request.output;
  const ThinkingStart start = set_prompt(engine, given, request);
  request.sampling = sampling(engine, given);
  request.priority = priority(given.priority);
  request.n = count(given.n_completions, 1, "n_completions");
  request.n_logprobs = count(given.n_logprobs, -1, "n_logprobs");
  output.n_predict = count(given.n_predict, -1, "n_predict");
  output.ignore_eos = given.ignore_eos != 0;
  output.show_special = given.show_special != 0;
  for (const char* text : items(given.stop_strings, given.n_stop_strings, "stop_strings")) {
    if (text == nullptr || *text == '\0') fail("stop_strings: one is empty");
    output.stop_strings.emplace_back(text);
  }
  output.constraint = constraint(engine, given, start);
  if (given.thinking_budget != 0 && start != ThinkingStart::kNone) {
    if (given.thinking_budget < -1) fail("thinking_budget is {}; allowed is -1 and more", given.thinking_budget);
    const ThinkingTags& tags = engine.format.thinking;
    output.thinking_budget = {.n_tokens = std::max(given.thinking_budget, 0),
                              .end_ids = engine.facts().tokenizer().encode(tags.close, {.parse_special = true}),
                              .tags = tags,
                              .inside = start == ThinkingStart::kInside};
  }
  return request;
}

}  // namespace glint::c_api
