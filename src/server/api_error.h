// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a request, and how each API says so. Handlers throw ApiError (or glint::Error, which counts as a
// fault of the request); server/router turns it into the shape of the API that the path belongs to.
// Tested by tests/unit/server/application_test.cpp.
#pragma once

#include <string>
#include <string_view>

#include "base/check.h"
#include "server/json.h"

namespace glint::server {

class ApiError : public Error {
 public:
  ApiError(int status, std::string type, const std::string& message, Json details = Json::object())
      : Error(message), status_(status), type_(std::move(type)), details_(std::move(details)) {}

  static ApiError invalid(const std::string& message) { return {400, "invalid_request_error", message}; }
  static ApiError not_found(const std::string& message) { return {404, "not_found_error", message}; }
  static ApiError disabled(const std::string& message) { return {501, "not_supported_error", message}; }
  static ApiError unavailable(const std::string& message) { return {503, "unavailable_error", message}; }
  static ApiError internal(const std::string& message) { return {500, "server_error", message}; }

  int status() const { return status_; }
  const std::string& type() const { return type_; }
  const Json& details() const { return details_; }  // further members of the error object

 private:
  int status_;
  std::string type_;  // llama.cpp's names, which are OpenAI's where that has one
  Json details_;
};

enum class ErrorShape { kOpenAi, kAnthropic, kOllama };
/// The shape that clients of this path know.
ErrorShape error_shape(std::string_view path);
/// The body.
Json describe_error(ErrorShape shape, const ApiError& error);

}  // namespace glint::server
