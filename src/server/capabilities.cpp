// SPDX-License-Identifier: Apache-2.0
//
// /v1/capabilities: what becomes of each member of a request, and how this model writes thoughts and calls, for clients
// that would rather ask than try. The same lists, explained: docs/SERVER.md.
// Tested by tests/unit/server/text_endpoints_test.cpp.
#include <initializer_list>

#include "server/endpoints.h"

namespace glint::server {
namespace {

constexpr std::initializer_list<const char*> kIgnored = {
    "user", "metadata", "service_tier", "cache_prompt", "n_keep", "t_max_predict_ms",
    "post_sampling_probs", "timings_per_token", "return_progress", "response_fields", "lora", "keep_alive", "num_ctx"};
constexpr std::initializer_list<const char*> kRefused = {"conversation", "suffix", "images",
                                                         "multimodal_data", "context", "template"};
constexpr std::initializer_list<const char*> kSupported = {
    "model", "store", "previous_response_id", "dimensions", "encoding_format", "embd_normalize", "truncate",
    "messages", "prompt", "input", "system", "instructions", "max_tokens", "max_completion_tokens", "max_output_tokens",
    "n_predict", "num_predict", "stop", "stop_sequences", "n", "n_cmpl", "logprobs", "top_logprobs", "n_probs", "stream",
    "stream_options", "ignore_eos", "samplers", "dry_sequence_breakers", "logit_bias", "chat_template_kwargs",
    "reasoning_effort", "thinking", "think", "reasoning_budget", "thinking_budget_tokens", "reasoning_format", "tools",
    "tool_choice", "parallel_tool_calls", "response_format", "output_config", "format", "json_schema", "grammar",
    "regex", "echo", "query", "documents", "texts", "top_n", "return_documents", "return_text", "filename", "id_slot",
    "return_tokens", "add_generation_prompt", "options", "raw"};

Json describe_fields() {
  Json fields = Json::object();
  SamplingParams params;
  for_each_setting(params, [&](const char* name, const char*, const auto&) { fields[name] = "supported"; });
  for (const char* name : kSupported) fields[name] = "supported";
  for (const char* name : kIgnored) fields[name] = "ignored";
  for (const char* name : kRefused) fields[name] = "refused";
  return fields;
}

}  // namespace

void add_capability_endpoints(Router& router, Models& models) {
  router.add("GET", "/v1/capabilities", on_model(models, [](Service& service, const HttpRequest&) {
    const ReplyFormat& format = service.reply_format();
    const bool thinks = service.has_chat() && format.thinking_anywhere;
    return json_reply({{"fields", describe_fields()},
                       {"apis", Json::array({"openai", "anthropic", "ollama", "llama.cpp"})},
                       {"chat", service.has_chat()},
                       {"tool_calls", name_of(format.calls)},
                       {"thinking", thinks ? Json({{"open", format.thinking.open}, {"close", format.thinking.close}}) : Json()},
                       {"structured_output", Json::array({"json_schema", "regex", "gbnf"})},
                       {"n_ctx", service.engine().n_ctx()}});
  }));
}

}  // namespace glint::server
