// SPDX-License-Identifier: Apache-2.0
//
// What is here and how it is set: /health, /v1/models, /props, with llama.cpp's names.
// Tested by tests/unit/server/status_endpoints_test.cpp.
#include <limits>

#include "server/endpoints.h"
#include "server/settings.h"

namespace glint::server {
namespace {

Json describe_model(const Service& service, const std::string& name) {
  const ModelSpec& spec = service.engine().model().spec;
  return {{"id", name},
          {"object", "model"},
          {"created", service.created()},
          {"owned_by", "glint"},
          {"meta",
           {{"vocab_type", service.engine().has_vocabulary() ? static_cast<int>(service.tokenizer().vocab().model()) : -1},
            {"n_vocab", spec.n_vocab},
            {"n_ctx", service.engine().n_ctx()},
            {"n_ctx_train", spec.n_ctx_train},
            {"n_embd", spec.d_model},
            {"n_params", service.n_parameters()},
            {"size", service.engine().file().total_bytes()}}}};
}

Reply list_models(const Service& service) {
  Json models = Json::array();
  for (const std::string& name : service.options().names) models.push_back(describe_model(service, name));
  return json_reply({{"object", "list"}, {"data", std::move(models)}});
}

Reply one_model(const Service& service, const std::string& name) {
  for (const std::string& known : service.options().names) {
    if (known == name) return json_reply(describe_model(service, name));
  }
  throw ApiError::not_found("no such model; see /v1/models");
}

Json describe_capabilities(const Service& service) {
  if (!service.has_chat()) return nullptr;
  const ChatCapabilities& can = service.chat().capabilities();
  return {{"supports_system_role", can.system_role},
          {"supports_tools", can.tools},
          {"supports_tool_calls", can.tool_calls},
          {"supports_reasoning", can.reasoning_content},
          {"requires_object_arguments", can.object_arguments},
          {"thinking_variable", can.thinking_variable},
          {"thinks_by_default", can.thinks_by_default}};
}

Reply props(const Service& service) {
  const Engine& engine = service.engine();
  const ResolvedSampling sampling = resolve_sampling({}, service.options().sampling, engine.file().metadata());
  Json settings = describe_sampling(sampling);
  settings["n_predict"] = service.options().n_predict;
  Json origins = Json::object();
  for (const auto& [name, origin] : sampling.origins) origins[name] = origin_name(origin);
  Json tokens = Json::object();
  if (engine.has_vocabulary()) {
    const Vocab& vocab = service.tokenizer().vocab();
    const auto text = [&](std::optional<int32_t> id) { return id ? std::string(vocab.bytes(*id)) : std::string(); };
    tokens = {{"bos_token", text(vocab.special().bos)}, {"eos_token", text(vocab.special().eos)}};
  }
  Json answer = {{"default_generation_settings", {{"n_ctx", engine.n_ctx()}, {"params", std::move(settings)}}},
                 {"sampling_origins", std::move(origins)},
                 {"total_slots", engine.options().n_sequences},
                 {"model_alias", service.name()},
                 {"model_path", engine.file().name()},
                 {"modalities", {{"vision", false}, {"audio", false}}},
                 {"chat_template", service.has_chat() ? service.chat().source() : ""},
                 {"chat_template_caps", describe_capabilities(service)},
                 {"build_info", "glint " + service.options().version},
                 {"is_sleeping", false}};
  answer.update(tokens);
  return json_reply(answer);
}

}  // namespace

void add_status_endpoints(Router& router, Service& service) {
  for (const char* path : {"/health", "/v1/health"}) {
    router.add("GET", path, [](const HttpRequest&) { return json_reply({{"status", "ok"}}); });
  }
  for (const char* path : {"/v1/models", "/models"}) {
    router.add("GET", path, [&service](const HttpRequest&) { return list_models(service); });
  }
  router.add("GET", "/v1/models/*", [&service](const HttpRequest& request) { return one_model(service, request.path_tail); });
  router.add("GET", "/props", [&service](const HttpRequest&) { return props(service); });
}

}  // namespace glint::server
