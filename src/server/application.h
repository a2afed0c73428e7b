// SPDX-License-Identifier: Apache-2.0
//
// The whole server without its sockets: who may ask (keys, origins), whether the model is there yet, and which endpoint
// answers. Tested by tests/unit/server/application_test.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/models.h"
#include "server/router.h"
#include "server/web_page.h"

namespace glint::server {

struct ApplicationOptions {
  std::vector<std::string> api_keys;  // none: everybody may ask
  std::vector<std::string> origins;   // whose pages may ask from a browser; "*": all; none: CORS is off
  std::string prefix;                 // before every path, as "/llm"
  bool web_page = true;
};

class Application {
 public:
  explicit Application(ApplicationOptions options);

  /// From now on requests reach the models; before, they are told to wait.
  void set_models(std::shared_ptr<Models> models);
  /// From any thread; never throws.
  Reply handle(HttpRequest request) const;

 private:
  struct Ready {
    std::shared_ptr<Models> models;
    Router router;
  };
  Reply answer(HttpRequest request) const;
  bool is_allowed(const HttpRequest& request) const;
  void add_cors(const HttpRequest& request, HttpResponse& response) const;
  std::shared_ptr<const Ready> ready() const;

  ApplicationOptions options_;
  WebPage page_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Ready> ready_;  // null while the first model loads
};

/// Every endpoint of every API. The models must outlive the router and its replies.
Router make_router(Models& models);

}  // namespace glint::server
