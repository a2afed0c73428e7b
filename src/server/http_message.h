// SPDX-License-Identifier: Apache-2.0
//
// A request and what answers it, without sockets: the border between server/http_connection, which moves bytes, and the
// endpoints, which know what they mean. An endpoint gives the whole response at once, or a Continuation that is asked
// for the rest as it comes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glint::server {

struct HttpRequest {
  std::string method;
  std::string path;                             // without the query
  std::string query;                            // behind the '?', as it came
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};
  std::string path_tail = {};  // what matched a route's '*'; the router's

  std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct Reply;

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// The rest of a response. One thread at a time uses it; destroying it stops whatever works for it.
class Continuation {
 public:
  virtual ~Continuation() = default;
  /// Whether the body goes out piece by piece behind a head that is known already; else it comes with its head at the end.
  virtual bool is_stream() const = 0;
  /// Adds what there is to the response (of a stream: to the body alone) without waiting; true when that was the last.
  virtual bool pull(HttpResponse& response) = 0;
  /// Another reply that takes the place of all this, asked for before pull(); the request had to wait for something first.
  /// PRECOND: is_stream() is false.
  virtual std::unique_ptr<Reply> become();
  /// Calls `wake` once, from any thread, when pull() has more to say.
  virtual void when_ready(std::function<void()> wake) = 0;
  /// Comes to an orderly end soon: the server wants to stop. From the thread that uses it.
  virtual void cancel() {}
  /// What may be sent to show that the stream lives while nothing comes; may be empty.
  virtual std::string ping() { return {}; }
};

struct Reply {
  HttpResponse response = {};
  std::unique_ptr<Continuation> rest = nullptr;  // null: the response is whole
};

inline std::unique_ptr<Reply> Continuation::become() { return nullptr; }

/// May be called from several threads at once, and never throws.
using HttpHandler = std::function<Reply(HttpRequest)>;

}  // namespace glint::server
