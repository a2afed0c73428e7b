// SPDX-License-Identifier: Apache-2.0
//
// From method and path to an endpoint, and from whatever an endpoint throws to a response in the API's own shape.
// Tested by tests/unit/server/application_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/api_error.h"
#include "server/http_message.h"

namespace glint::server {

class Router {
 public:
  using Endpoint = std::function<Reply(const HttpRequest&)>;

  /// `path` may end in '*': any tail, handed on as HttpRequest::path_tail.
  void add(const std::string& method, const std::string& path, Endpoint endpoint);
  /// "GET /health" of all there are, in the order of paths.
  std::vector<std::string> routes() const;
  /// 404 for an unknown path, 405 for another method than it has; errors become responses.
  Reply handle(HttpRequest request) const;

 private:
  using Methods = std::map<std::string, Endpoint>;
  const Methods* find(HttpRequest& request) const;

  std::map<std::string, Methods> exact_;
  std::map<std::string, Methods> prefixes_;  // without the '*'
};

/// What `make` gives, or in a reply what it throws, in the shape that clients of the path know.
Reply reply_or_error(std::string_view path, const std::function<Reply()>& make);
Reply json_reply(const Json& body, int status = 200);
Reply error_reply(std::string_view path, const ApiError& error);

}  // namespace glint::server
