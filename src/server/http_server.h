// SPDX-License-Identifier: Apache-2.0
//
// Listens on addresses and unix sockets, with or without TLS, and runs connections on a few threads.
// Called by apps/serve. Tested by tests/unit/server/http_server_test.cpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/http_connection.h"

namespace glint::server {

struct HttpServerOptions {
  std::vector<std::string> hosts = {"127.0.0.1"};  // names, addresses, or paths that end in ".sock"
  int port = 8080;                                 // 0: any that is free
  int n_threads = 2;                               // that move bytes
  int n_workers = 2;                               // that read requests with a body
  std::string tls_key_file, tls_cert_file;         // PEM; both or none
  HttpLimits limits;
};

class HttpServer {
 public:
  /// Listens when this returns. Throws Error for an address that cannot be had and for unusable TLS files.
  HttpServer(const HttpServerOptions& options, HttpHandler handler,
             std::function<void(const AccessRecord&)> on_access = {});
  /// Breaks off what still runs.
  ~HttpServer();

  int port() const;
  std::vector<std::string> urls() const;
  int n_connections() const;
  /// Takes no more requests and waits for the running answers; after `patience` they are ended early, with a word to
  /// the client. True when all ended by themselves.
  bool drain(std::chrono::milliseconds patience);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glint::server
