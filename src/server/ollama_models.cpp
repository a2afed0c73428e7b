// SPDX-License-Identifier: Apache-2.0
//
// What Ollama's clients ask about models: /api/tags, /api/ps, /api/show, /api/version.
// Tested by tests/unit/server/ollama_test.cpp and tests/clients/clients_test.py.
#include <ctime>

#include "base/sha256.h"
#include "server/endpoints.h"
#include "server/fields.h"
#include "server/iso_time.h"

namespace glint::server {
namespace {

Json describe_details(const Service& service) {
  const double billions = static_cast<double>(service.n_parameters()) / 1e9;
  const std::string& family = service.engine().model().spec.architecture;
  return {{"parent_model", ""},
          {"format", "gguf"},
          {"family", family},
          {"families", Json::array({family})},
          {"parameter_size", billions >= 1 ? fmt::format("{:.1f}B", billions) : fmt::format("{:.1f}M", billions * 1e3)},
          {"quantization_level", "unknown"}};
}

/// A stable name; nothing can be fetched by it.
std::string digest_of(const std::string& name) {
  Sha256 sha;
  sha.add(name);
  return to_hex(sha.digest());
}

Json describe(const ModelEntry& entry, const std::string& name, const Models::Lease& service) {
  return {{"name", name},
          {"model", name},
          {"modified_at", iso_time(entry.modified)},
          {"size", entry.file_bytes},
          {"digest", digest_of(name)},
          {"details", service ? describe_details(*service) : Json({{"parent_model", ""}, {"format", "gguf"}})}};
}

Reply tags(Models& models, bool is_running) {
  constexpr int64_t kLong = 3600;  // how long it stays is not known
  Json described = Json::array();
  for (size_t i = 0; i < models.size(); ++i) {
    const Models::Lease service = models.look(i);
    if (is_running && !service) continue;
    for (const std::string& name : models.entry(i).names) {
      Json model = describe(models.entry(i), name, service);
      if (is_running) {
        model.update({{"expires_at", iso_time(unix_time() + kLong)}, {"size_vram", 0}, {"context_length", service->engine().n_ctx()}});
      }
      described.push_back(std::move(model));
    }
  }
  return json_reply({{"models", std::move(described)}});
}

/// Scalars of the file's metadata; its arrays are long and nobody's need.
Json model_info(const Service& service) {
  const ModelSpec& spec = service.engine().model().spec;
  return {{"general.architecture", spec.architecture},
          {"general.parameter_count", service.n_parameters()},
          {spec.architecture + ".context_length", spec.n_ctx_train},
          {spec.architecture + ".embedding_length", spec.d_model},
          {spec.architecture + ".block_count", spec.layers.size()},
          {"tokenizer.ggml.pre", service.engine().file().metadata().string_or("tokenizer.ggml.pre", "")}};
}

Reply show(const Service& service, const HttpRequest& request) {
  const Json body = parse_json(request.body);
  const Fields fields(body);
  const std::string* name = fields.string("model");
  if (name == nullptr) name = fields.string("name");
  if (name == nullptr) fields.refuse("model", "a string");
  bool is_known = false;
  for (const std::string& known : service.options().names) is_known = is_known || known == *name || known + ":latest" == *name;
  if (!is_known) throw ApiError::not_found("no such model; see /api/tags");
  Json capabilities = Json::array({"completion"});
  if (service.has_chat() && service.chat().capabilities().tools) capabilities.push_back("tools");
  if (service.has_chat() && !service.chat().capabilities().thinking_variable.empty()) capabilities.push_back("thinking");
  return json_reply({{"modelfile", ""},
                     {"parameters", ""},
                     {"template", service.has_chat() ? service.chat().source() : ""},
                     {"details", describe_details(service)},
                     {"model_info", model_info(service)},
                     {"capabilities", std::move(capabilities)},
                     {"modified_at", iso_time(service.created())}});
}

}  // namespace

std::string iso_time(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void add_ollama_model_endpoints(Router& router, Models& models) {
  router.add("GET", "/api/tags", [&models](const HttpRequest&) { return tags(models, false); });
  router.add("GET", "/api/ps", [&models](const HttpRequest&) { return tags(models, true); });
  router.add("POST", "/api/show", on_model(models, show));
  router.add("GET", "/api/version", [](const HttpRequest&) { return json_reply({{"version", GLINT_VERSION}}); });
}

}  // namespace glint::server
