// SPDX-License-Identifier: Apache-2.0
//
// One connection: reads requests one after the other, has them answered, writes the answers. Bytes only: what paths and
// bodies mean lies behind HttpHandler.
//
// One read is pending at any time, so that a client who goes away is noticed while an answer is being made; what is
// written next is asked for when the last write is done, so a slow reader holds up nobody but its own answer.
// Made by server/http_server. Tested by tests/unit/server/http_server_test.cpp.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "server/http_message.h"

namespace glint::server {

struct HttpLimits {
  size_t header_bytes = 64 << 10;
  size_t body_bytes = 64 << 20;
  int connections = 8192;
  std::chrono::milliseconds idle{75'000};     // between requests
  std::chrono::milliseconds header{30'000};   // from the first byte of a request to the last of its head
  std::chrono::milliseconds body{300'000};
  std::chrono::milliseconds write{60'000};    // for one piece of an answer
  std::chrono::milliseconds ping{15'000};     // longest silence of a stream
  std::chrono::milliseconds linger{2'000};    // for the client to take an answer after which the connection closes
};

/// For the access log: nothing that a user typed but the path.
struct AccessRecord {
  std::string peer;
  std::string method;
  std::string path;
  std::string traceparent;
  int status = 0;
  size_t bytes_in = 0, bytes_out = 0;
  double seconds = 0;
  bool complete = false;  // false: the client went away
};

/// One line.
std::string describe_access(const AccessRecord& record);

/// What connections share.
struct HttpContext {
  HttpLimits limits;
  HttpHandler handler;
  std::function<void(const AccessRecord&)> on_access;  // may be empty
  boost::asio::thread_pool* workers = nullptr;         // for requests with a body
  std::atomic<bool> draining = false;
  std::atomic<int> n_connections = 0;
};

class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  virtual void start() = 0;
  // From any thread:
  virtual void drain() = 0;   // close when the present answer is out; now if there is none
  virtual void cancel() = 0;  // end the present answer early, but in order
  virtual void abort() = 0;
};

/// The socket's executor must be a strand. `tls` may be null.
std::shared_ptr<HttpConnection> make_connection(boost::asio::generic::stream_protocol::socket socket, std::string peer,
                                                HttpContext& context, boost::asio::ssl::context* tls);

}  // namespace glint::server
