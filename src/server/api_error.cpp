// SPDX-License-Identifier: Apache-2.0
#include "server/api_error.h"

namespace glint::server {
namespace {

/// Anthropic's clients choose the exception by status and show this name.
std::string anthropic_type(const ApiError& error) {
  switch (error.status()) {
    case 401: return "authentication_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return error.status() < 500 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

ErrorShape error_shape(std::string_view path) {
  if (path.starts_with("/v1/messages")) return ErrorShape::kAnthropic;
  if (path.starts_with("/api/")) return ErrorShape::kOllama;
  return ErrorShape::kOpenAi;
}

Json describe_error(ErrorShape shape, const ApiError& error) {
  if (shape == ErrorShape::kAnthropic) {
    return {{"type", "error"}, {"error", {{"type", anthropic_type(error)}, {"message", error.what()}}}};
  }
  if (shape == ErrorShape::kOllama) return {{"error", error.what()}};
  Json body = {{"code", error.status()}, {"message", error.what()}, {"type", error.type()}};
  body.update(error.details());
  return {{"error", std::move(body)}};
}

}  // namespace glint::server
