// SPDX-License-Identifier: Apache-2.0
#include "server/application.h"

#include <algorithm>

#include "base/sha256.h"
#include "server/endpoints.h"
#include "server/pdf_text.h"

namespace glint::server {
namespace {

/// In a time that tells nothing of where they differ, nor of the secret's length.
bool is_same_secret(std::string_view a, std::string_view b) {
  const auto digest = [](std::string_view text) {
    Sha256 sha;
    sha.add(text);
    return sha.digest();
  };
  const Digest left = digest(a), right = digest(b);
  uint8_t difference = 0;
  for (size_t i = 0; i < left.size(); ++i) difference = static_cast<uint8_t>(difference | (left[i] ^ right[i]));
  return difference == 0;
}

bool is_public(std::string_view path) {
  return path == "/health" || path == "/v1/health" || path == "/v1/models" || path == "/models" || path == "/";
}

}  // namespace

Application::Application(ApplicationOptions options) : options_(std::move(options)) {}

void Application::set_models(std::shared_ptr<Models> models) {
  auto ready = std::make_shared<Ready>();
  ready->router = make_router(*models);
  if (options_.web_page) add_pdf_endpoint(ready->router);
  ready->models = std::move(models);
  const std::lock_guard lock(mutex_);
  ready_ = std::move(ready);
}

std::shared_ptr<const Application::Ready> Application::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

Reply Application::handle(HttpRequest request) const {
  HttpRequest origin;  // what CORS needs, since the request is given away
  for (const char* name : {"origin", "access-control-request-headers"}) origin.headers[name] = request.header(name);
  Reply reply = answer(std::move(request));
  add_cors(origin, reply.response);
  return reply;
}

Reply Application::answer(HttpRequest request) const {
  if (!options_.prefix.empty()) {
    if (!request.path.starts_with(options_.prefix + "/")) {
      return error_reply(request.path, ApiError::not_found("all paths begin with " + options_.prefix));
    }
    request.path.erase(0, options_.prefix.size());
  }
  if (options_.web_page) {
    if (std::optional<Reply> page = page_.answer(request)) return std::move(*page);
  }
  // A browser asks with OPTIONS before it sends the key.
  if (request.method == "OPTIONS") return {.response = {.status = 204}};
  if (!is_allowed(request)) {
    Reply reply = error_reply(request.path, {401, "authentication_error", "the API key is missing or wrong"});
    reply.response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
  }
  const std::shared_ptr<const Ready> ready = this->ready();
  if (!ready) return error_reply(request.path, ApiError::unavailable("Loading model"));
  return ready->router.handle(std::move(request));
}

bool Application::is_allowed(const HttpRequest& request) const {
  if (options_.api_keys.empty() || is_public(request.path)) return true;
  std::string_view key = request.header("x-api-key");
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view authorization = request.header("authorization");
  const auto equals_ignoring_case = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
  if (authorization.size() > kBearer.size() &&
      std::equal(kBearer.begin(), kBearer.end(), authorization.begin(),
                 [&](char b, char a) { return equals_ignoring_case(a, b); })) {
    key = authorization.substr(kBearer.size());
  }
  bool allowed = false;  // every key is compared, whichever fits
  for (const std::string& known : options_.api_keys) allowed = is_same_secret(key, known) || allowed;
  return allowed;
}

void Application::add_cors(const HttpRequest& request, HttpResponse& response) const {
  const std::string_view origin = request.header("origin");
  if (origin.empty() || options_.origins.empty()) return;
  const auto is = [&](std::string_view known) {
    return std::find(options_.origins.begin(), options_.origins.end(), known) != options_.origins.end();
  };
  if (!is("*") && !is(origin)) return;
  const auto add = [&](const char* name, std::string_view value) { response.headers.emplace_back(name, value); };
  add("Access-Control-Allow-Origin", is("*") ? "*" : origin);
  add("Vary", "Origin");
  add("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
  add("Access-Control-Allow-Headers", "authorization, content-type, x-api-key, anthropic-version, anthropic-beta");
  add("Access-Control-Max-Age", "600");
}

Router make_router(Models& models) {
  Router router;
  add_status_endpoints(router, models);
  add_live_endpoints(router, models);
  add_slot_endpoints(router, models);
  add_openapi_endpoint(router);
  add_capability_endpoints(router, models);
  add_text_endpoints(router, models);
  add_openai_chat_endpoints(router, models);
  add_openai_completion_endpoints(router, models);
  add_native_completion_endpoints(router, models);
  add_infill_endpoints(router, models);
  add_responses_endpoints(router, models);
  add_embedding_endpoints(router, models);
  add_rerank_endpoints(router, models);
  add_anthropic_endpoints(router, models);
  add_ollama_endpoints(router, models);
  return router;
}

}  // namespace glint::server
