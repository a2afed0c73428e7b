// SPDX-License-Identifier: Apache-2.0
#include "server/router.h"

#include <new>

#include "base/printable.h"

namespace glint::server {

void Router::add(const std::string& method, const std::string& path, Endpoint endpoint) {
  Methods& methods = path.ends_with('*') ? prefixes_[path.substr(0, path.size() - 1)] : exact_[path];
  methods[method] = std::move(endpoint);
}

std::vector<std::string> Router::routes() const {
  std::vector<std::string> routes;
  for (const auto& [path, methods] : exact_) {
    for (const auto& [method, unused] : methods) routes.push_back(method + " " + path);
  }
  for (const auto& [prefix, methods] : prefixes_) {
    for (const auto& [method, unused] : methods) routes.push_back(method + " " + prefix + "*");
  }
  return routes;
}

const Router::Methods* Router::find(HttpRequest& request) const {
  if (const auto found = exact_.find(request.path); found != exact_.end()) return &found->second;
  for (const auto& [prefix, methods] : prefixes_) {
    if (!request.path.starts_with(prefix) || request.path.size() == prefix.size()) continue;
    request.path_tail = request.path.substr(prefix.size());
    return &methods;
  }
  return nullptr;
}

Reply Router::handle(HttpRequest request) const {
  return reply_or_error(request.path, [&] {
    const Methods* methods = find(request);
    if (methods == nullptr) throw ApiError::not_found(fmt::format("no such endpoint: {}", printable(request.path)));
    const auto endpoint = methods->find(request.method == "HEAD" ? "GET" : request.method);
    if (endpoint != methods->end()) return endpoint->second(request);
    std::string allowed;
    for (const auto& [method, unused] : *methods) allowed += (allowed.empty() ? "" : ", ") + method;
    Reply reply = error_reply(request.path, {405, "invalid_request_error",
                                             fmt::format("{} takes {}, not {}", printable(request.path), allowed,
                                                         printable(request.method))});
    reply.response.headers.emplace_back("Allow", allowed);
    return reply;
  });
}

Reply reply_or_error(std::string_view path, const std::function<Reply()>& make) {
  try {
    return make();
  } catch (const ApiError& error) {
    return error_reply(path, error);
  } catch (const Error& error) {
    return error_reply(path, ApiError::invalid(error.what()));
  } catch (const std::bad_alloc&) {
    return error_reply(path, ApiError::unavailable("out of memory for this request"));
  } catch (const std::exception& error) {
    return error_reply(path, ApiError::internal(error.what()));
  }
}

Reply json_reply(const Json& body, int status) { return {.response = {.status = status, .body = to_text(body)}}; }

Reply error_reply(std::string_view path, const ApiError& error) {
  return json_reply(describe_error(error_shape(path), error), error.status());
}

}  // namespace glint::server
