// SPDX-License-Identifier: Apache-2.0
//
// What is here and how it is set: /health, /v1/models, /props, with llama.cpp's names.
// Tested by tests/unit/server/text_endpoints_test.cpp.
#include <limits>

#include "server/endpoints.h"
#include "server/fields.h"
#include "server/settings.h"

namespace glint::server {
namespace {

Json describe_model(Models& models, size_t model, const std::string& name) {
  Json described = {{"id", name}, {"object", "model"}, {"created", models.entry(model).modified}, {"owned_by", "glint"}};
  const Models::Lease service = models.look(model);
  described["status"] = {{"value", service ? "loaded" : "unloaded"}};
  if (!service) {
    described["meta"] = {{"size", models.entry(model).file_bytes}};
    return described;
  }
  const ModelSpec& spec = service->engine().model().spec;
  described["meta"] = {{"vocab_type", service->engine().has_vocabulary() ? static_cast<int>(service->tokenizer().vocab().model()) : -1},
                       {"n_vocab", spec.n_vocab},
                       {"n_ctx", service->engine().n_ctx()},
                       {"n_ctx_train", spec.n_ctx_train},
                       {"n_embd", spec.d_model},
                       {"n_params", service->n_parameters()},
                       {"size", service->engine().file().total_bytes()}};
  return described;
}

Reply list_models(Models& models) {
  Json described = Json::array();
  for (size_t i = 0; i < models.size(); ++i) {
    for (const std::string& name : models.entry(i).names) described.push_back(describe_model(models, i, name));
  }
  return json_reply({{"object", "list"}, {"data", std::move(described)}});
}

Reply one_model(Models& models, const std::string& name) {
  for (size_t i = 0; i < models.size(); ++i) {
    for (const std::string& known : models.entry(i).names) {
      if (known == name) return json_reply(describe_model(models, i, name));
    }
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
                 {"build_info", "glint " GLINT_VERSION},
                 {"is_sleeping", false}};
  answer.update(tokens);
  return json_reply(answer);
}

/// As in llama.cpp there is nothing yet that could be changed while the server runs.
Reply change_props(Service& service, const HttpRequest& request) {
  if (!service.options().may_change_props) throw ApiError::disabled("POST /props is switched off; start with --props");
  const Json body = parse_json(request.body);
  Json warnings = Json::array();
  for (const std::string& name : Fields(body).unread()) {
    if (name != "model") warnings.push_back(name + ": ignored");
  }
  return json_reply({{"success", true}, {"warnings", std::move(warnings)}});
}

/// Does not wake a model that sleeps.
Reply props_or_sleeping(Models& models, const HttpRequest& request) {
  const size_t model = models.find(named_model(request));
  if (const Models::Lease service = models.look(model)) return props(*service);
  const ModelEntry& entry = models.entry(model);
  return json_reply({{"model_alias", entry.names.front()}, {"model_path", entry.path}, {"is_sleeping", true}});
}

}  // namespace

void add_status_endpoints(Router& router, Models& models) {
  for (const char* path : {"/health", "/v1/health"}) {
    router.add("GET", path, [](const HttpRequest&) { return json_reply({{"status", "ok"}}); });
  }
  for (const char* path : {"/v1/models", "/models"}) {
    router.add("GET", path, [&models](const HttpRequest&) { return list_models(models); });
  }
  router.add("GET", "/v1/models/*", [&models](const HttpRequest& request) { return one_model(models, request.path_tail); });
  router.add("POST", "/props", on_model(models, change_props));
  router.add("GET", "/props", [&models](const HttpRequest& request) { return props_or_sleeping(models, request); });
}

}  // namespace glint::server
