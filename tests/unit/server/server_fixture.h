// SPDX-License-Identifier: Apache-2.0
//
// What tests of the server share: the demo model as a Service, and requests to its router without sockets.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include "server/application.h"

namespace glint::server {

struct ServiceSetup {
  int n_ctx = 512;
  int n_sequences = 4;
  BatchOptions batch = {};
  ServiceOptions service = {};
};

inline std::shared_ptr<Service> make_service(ServiceSetup setup = {}, std::vector<std::string> names = {"demo", "other-name"}) {
  EngineOptions options;
  options.n_threads = 2;
  options.n_ctx = setup.n_ctx;
  options.n_sequences = setup.n_sequences;
  options.n_ubatch = 128;
  Engine engine = Engine::open(gguf::File::open(std::string(GLINT_TEST_DATA) + "/../../models/glint-demo.gguf"), options);
  ChatTemplate chat(engine.file().metadata().string("tokenizer.chat_template"));
  setup.service.names = std::move(names);
  return std::make_shared<Service>(std::move(engine), setup.batch, std::move(chat), std::move(setup.service));
}

/// One for all tests of a program that change nothing about it.
inline Service& demo() {
  static const std::shared_ptr<Service> service = make_service();
  return *service;
}

inline HttpRequest post(const std::string& path, const Json& body) {
  HttpRequest request{.method = "POST", .path = path, .query = ""};
  request.body = body.is_string() ? body.get<std::string>() : to_text(body);
  return request;
}
inline HttpRequest get(const std::string& path, const std::string& query = "") {
  return {.method = "GET", .path = path, .query = query};
}

/// Waits for all of a reply; a stream's pieces are joined.
inline HttpResponse read_all(Reply reply) {
  // A reply of several streams may wake once for each, also while it is being read again.
  std::mutex mutex;
  std::condition_variable ready;
  bool is_ready = false;
  while (reply.rest) {
    if (const std::unique_ptr<Reply> other = reply.rest->become()) {
      reply = std::move(*other);
      continue;
    }
    if (reply.rest->pull(reply.response)) break;
    reply.rest->when_ready([&] {
      const std::lock_guard lock(mutex);
      is_ready = true;
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return std::exchange(is_ready, false); });
  }
  return std::move(reply.response);
}

/// One service as all the models there are, with every endpoint.
class Endpoints {
 public:
  /// Borrows the service.
  explicit Endpoints(Service& service) : models_({&service, [](Service*) {}}), router_(make_router(models_)) {}
  Reply handle(HttpRequest request) const { return router_.handle(std::move(request)); }

 private:
  Models models_;
  Router router_;
};

inline HttpResponse ask(Service& service, HttpRequest request) {
  const Endpoints endpoints(service);
  return read_all(endpoints.handle(std::move(request)));
}
inline Json ask_json(Service& service, HttpRequest request, int status = 200) {
  const HttpResponse response = ask(service, std::move(request));
  EXPECT_EQ(response.status, status) << response.body;
  return Json::parse(response.body);
}
/// The data of a text/event-stream's events but [DONE]; every line is checked to be one of the format's.
inline std::vector<Json> sse_events(const std::string& body) {
  std::vector<Json> events;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find('\n', at);
    EXPECT_NE(end, std::string::npos) << "an unfinished line";
    if (end == std::string::npos) break;
    const std::string line = body.substr(at, end - at);
    at = end + 1;
    EXPECT_TRUE(line.empty() || line.starts_with("data: ") || line.starts_with("event: ") || line.starts_with(":")) << line;
    if (line.starts_with("data: ") && line != "data: [DONE]") events.push_back(Json::parse(line.substr(6)));
  }
  return events;
}
inline std::string error_of(Service& service, HttpRequest request, int status = 400) {
  const Json body = ask_json(service, std::move(request), status);
  return body.contains("error") && body["error"].is_object() ? body["error"].value("message", "") : body.dump();
}

}  // namespace glint::server
