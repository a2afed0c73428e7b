// SPDX-License-Identifier: Apache-2.0
//
// Real sockets against handlers made for the test: keep-alive, limits, garbage, clients who go away or read slowly.
#include "server/http_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <future>

#include "server/router.h"

namespace glint::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

/// A stream that counts up to `n_pieces` and tells when it is destroyed. Without pieces it waits until it is cancelled.
class Counting : public Continuation {
 public:
  struct Watch {
    std::promise<void> destroyed;
    std::atomic<int> n_pulled = 0;
    std::atomic<bool> cancelled = false;
  };
  Counting(std::shared_ptr<Watch> watch, int n_pieces, bool is_stream, size_t piece_bytes)
      : watch_(std::move(watch)), n_pieces_(n_pieces), is_stream_(is_stream), piece_bytes_(piece_bytes) {}
  ~Counting() override { watch_->destroyed.set_value(); }
  bool is_stream() const override { return is_stream_; }
  bool pull(HttpResponse& response) override {
    if (watch_->cancelled) {
      response.body += "cancelled";
      return true;
    }
    if (n_pieces_ == 0) return false;
    response.body += std::string(piece_bytes_, 'x');
    return ++watch_->n_pulled >= n_pieces_;
  }
  void when_ready(std::function<void()> wake) override {
    if (n_pieces_ > 0) return wake();
    wake_ = std::move(wake);
  }
  std::string ping() override { return ": ping\n\n"; }
  void cancel() override {
    watch_->cancelled = true;
    if (wake_) wake_();
  }

 private:
  std::shared_ptr<Watch> watch_;
  int n_pieces_;
  bool is_stream_;
  size_t piece_bytes_;
  std::function<void()> wake_;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    router_.add("GET", "/hello", [](const HttpRequest& request) { return json_reply("hello " + request.query); });
    router_.add("POST", "/echo", [](const HttpRequest& request) { return json_reply(request.body.size()); });
    const auto add = [&](const char* path, int n_pieces, bool is_stream, size_t bytes) {
      router_.add("POST", path, [=, this](const HttpRequest&) -> Reply {
        return {.response = {.content_type = "text/event-stream"},
                .rest = std::make_unique<Counting>(watch_, n_pieces, is_stream, bytes)};
      });
    };
    add("/three", 3, true, 2);
    add("/whole", 1, false, 5);
    add("/endless-stream", 0, true, 0);
    add("/endless-whole", 0, false, 0);
    add("/flood", 1 << 30, true, 1 << 16);
  }

  HttpServer& start(HttpServerOptions options = {}) {
    options.port = 0;
    options.limits.linger = std::chrono::milliseconds(300);
    server_ = std::make_unique<HttpServer>(options, [this](HttpRequest request) { return router_.handle(std::move(request)); });
    return *server_;
  }
  tcp::socket connect() {
    tcp::socket socket(io_);
    socket.connect({asio::ip::address_v4::loopback(), static_cast<uint16_t>(server_->port())});
    return socket;
  }
  static void send(tcp::socket& socket, const std::string& bytes) {
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
  }
  /// Everything until the other side closes.
  static std::string read_to_end(tcp::socket& socket) {
    std::string bytes;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(bytes), error);
    return bytes;
  }
  static http::response<http::string_body> read_response(tcp::socket& socket, boost::beast::flat_buffer& buffer) {
    http::response<http::string_body> response;
    http::read(socket, buffer, response);
    return response;
  }
  bool destroyed_in_time() { return watch_->destroyed.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready; }

  static std::string post(const std::string& path, const std::string& body = "{}") {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  Router router_;
  std::shared_ptr<Counting::Watch> watch_ = std::make_shared<Counting::Watch>();
  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsConnectionsAndAnswersInOrder) {
  start();
  tcp::socket socket = connect();
  boost::beast::flat_buffer buffer;
  send(socket, "GET /hello?a HTTP/1.1\r\nHost: x\r\n\r\n" + post("/echo", std::string(100'000, 'a')) + "GET /nope HTTP/1.1\r\n\r\n");
  EXPECT_EQ(read_response(socket, buffer).body(), "\"hello a\"");
  EXPECT_EQ(read_response(socket, buffer).body(), "100000");
  EXPECT_EQ(read_response(socket, buffer).result_int(), 404u);
  send(socket, "GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_NE(read_to_end(socket).find("\"hello \""), std::string::npos);
}

TEST_F(HttpServerTest, StreamsInChunks) {
  start();
  tcp::socket socket = connect();
  boost::beast::flat_buffer buffer;
  send(socket, post("/three") + post("/nope"));
  const auto response = read_response(socket, buffer);
  EXPECT_TRUE(response.chunked());
  EXPECT_EQ(response.body(), "xxxxxx");
  EXPECT_EQ(read_response(socket, buffer).result_int(), 404u);
}

TEST_F(HttpServerTest, WholeAnswersThatComeLate) {
  start();
  tcp::socket socket = connect();
  boost::beast::flat_buffer buffer;
  send(socket, post("/whole"));
  EXPECT_EQ(read_response(socket, buffer).body(), "xxxxx");
}

TEST_F(HttpServerTest, ContinueIsSaidBeforeABody) {
  start();
  tcp::socket socket = connect();
  send(socket, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  std::string bytes;
  const size_t n = asio::read_until(socket, asio::dynamic_buffer(bytes), "\r\n\r\n");
  EXPECT_EQ(bytes.substr(0, n), "HTTP/1.1 100 Continue\r\n\r\n");
  send(socket, "abc");
  boost::beast::flat_buffer buffer;
  EXPECT_EQ(read_response(socket, buffer).body(), "3");
}

TEST_F(HttpServerTest, LimitsAndGarbageGetAnAnswerAndTheServerLives) {
  HttpServerOptions options;
  options.limits.header_bytes = 1000;
  options.limits.body_bytes = 1000;
  start(options);
  const auto status_of = [&](const std::string& bytes) {
    tcp::socket socket = connect();
    send(socket, bytes);
    const std::string answer = read_to_end(socket);
    return answer.size() < 12 ? answer : answer.substr(9, 3);
  };
  EXPECT_EQ(status_of("GET /hello HTTP/1.1\r\nX: " + std::string(10'000'000, 'a') + "\r\n\r\n"), "431");
  EXPECT_EQ(status_of(post("/echo", std::string(5'000'000, 'a'))), "413");
  EXPECT_EQ(status_of("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'a') + "\r\n0\r\n\r\n"), "413");
  EXPECT_EQ(status_of(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 16)), "400");
  EXPECT_EQ(status_of("GET /%zz HTTP/1.1\r\n\r\n"), "400");
  EXPECT_EQ(status_of("GET /hello HTTP/9.9\r\n\r\n"), "400");
  EXPECT_EQ(status_of("POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), "400");
  EXPECT_EQ(status_of("POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), "400");
  tcp::socket socket = connect();
  send(socket, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(read_to_end(socket).find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, ARequestThatDoesNotArriveTimesOut) {
  HttpServerOptions options;
  options.limits.header = options.limits.body = options.limits.idle = std::chrono::milliseconds(50);
  start(options);
  tcp::socket head = connect(), body = connect(), idle = connect();
  send(head, "GET /hel");
  send(body, "POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_NE(read_to_end(head).find(" 408 "), std::string::npos);
  EXPECT_NE(read_to_end(body).find(" 408 "), std::string::npos);
  EXPECT_EQ(read_to_end(idle), "");
}

TEST_F(HttpServerTest, AClientWhoGoesAwayStopsTheWork) {
  start();
  {
    tcp::socket socket = connect();
    send(socket, post("/endless-stream"));
    std::string bytes;
    asio::read_until(socket, asio::dynamic_buffer(bytes), "\r\n\r\n");  // the head comes at once
  }
  EXPECT_TRUE(destroyed_in_time());
  watch_ = std::make_shared<Counting::Watch>();
  {
    tcp::socket socket = connect();
    send(socket, post("/endless-whole"));
    socket.shutdown(tcp::socket::shutdown_send);  // half closed counts as gone
    EXPECT_EQ(read_to_end(socket), "");
  }
  EXPECT_TRUE(destroyed_in_time());
}

TEST_F(HttpServerTest, AHalfClosedClientGetsWhatIsReady) {
  start();
  tcp::socket socket = connect();
  send(socket, "GET /hello HTTP/1.1\r\n\r\n");
  socket.shutdown(tcp::socket::shutdown_send);
  EXPECT_NE(read_to_end(socket).find("\"hello \""), std::string::npos);
}

TEST_F(HttpServerTest, ASlowReaderIsWaitedForAndThenDropped) {
  HttpServerOptions options;
  options.limits.write = std::chrono::milliseconds(200);
  start(options);
  tcp::socket socket = connect();
  send(socket, post("/flood"));
  EXPECT_TRUE(destroyed_in_time());  // nobody reads, so a write stalls
  EXPECT_LT(watch_->n_pulled, 10'000);  // and what was not written was not asked for
}

TEST_F(HttpServerTest, SilentStreamsAreShownToLive) {  // REPORTS F13
  HttpServerOptions options;
  options.limits.ping = std::chrono::milliseconds(20);
  start(options);
  tcp::socket socket = connect();
  send(socket, post("/endless-stream"));
  std::string bytes;
  for (int i = 0; i < 3; ++i) {
    const size_t n = asio::read_until(socket, asio::dynamic_buffer(bytes), ": ping\n\n");
    bytes.erase(0, n);
  }
}

TEST_F(HttpServerTest, DrainLetsAnswersEndAndThenCancelsThem) {
  HttpServer& server = start();
  tcp::socket idle = connect(), busy = connect();
  send(busy, post("/endless-stream"));
  std::string bytes;
  asio::read_until(busy, asio::dynamic_buffer(bytes), "\r\n\r\n");
  EXPECT_FALSE(server.drain(std::chrono::milliseconds(50)));
  EXPECT_EQ(read_to_end(idle), "");
  EXPECT_NE((bytes + read_to_end(busy)).find("cancelled\r\n0\r\n\r\n"), std::string::npos);
  boost::system::error_code error;
  tcp::socket late(io_);
  late.connect({asio::ip::address_v4::loopback(), static_cast<uint16_t>(server.port())}, error);
  EXPECT_TRUE(error);
  EXPECT_TRUE(server.drain(std::chrono::seconds(5)));
}

TEST_F(HttpServerTest, UnixSocketsAreFilesThatGoAgain) {
  const std::string path = testing::TempDir() + "glint-" + std::to_string(getpid()) + ".sock";
  HttpServerOptions options;
  options.hosts = {path};
  start(options);
  asio::local::stream_protocol::socket socket(io_);
  socket.connect(asio::local::stream_protocol::endpoint(path));
  asio::write(socket, asio::buffer(std::string("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n")));
  std::string bytes;
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(bytes), error);
  EXPECT_NE(bytes.find("\"hello \""), std::string::npos);
  server_.reset();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(HttpServerTest, AddressesInUseAndMissingCertificatesAreErrors) {
  HttpServerOptions options;
  options.port = start().port();
  const auto handler = [](HttpRequest) { return Reply(); };
  EXPECT_THROW(HttpServer(options, handler), Error);
  options.port = 0;
  options.tls_key_file = "/nowhere/key.pem";
  EXPECT_THROW(HttpServer(options, handler), Error);
  options.tls_cert_file = "/nowhere/cert.pem";
  EXPECT_THROW(HttpServer(options, handler), Error);
}

}  // namespace
}  // namespace glint::server
