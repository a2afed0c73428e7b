// SPDX-License-Identifier: Apache-2.0
//
// Many connections at once over real sockets, with a handler that emits tokens on a clock: 1,000 streams lose nothing and
// leave no memory behind, among clients who misbehave; and a server that drains finishes what it has begun.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "server/http_server.h"
#include "server/router.h"

namespace glint::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

/// Wakes whoever asked, every few milliseconds; time may stand still.
class Clockwork {
 public:
  Clockwork() : thread_([this] { run(); }) {}
  ~Clockwork() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }
  void at_next_tick(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(wake));
  }
  int tick() const { return tick_; }
  void stand_still(bool still) { still_ = still; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, std::chrono::milliseconds(20), [&] { return stopping_; })) {
      std::vector<std::function<void()>> due;
      due.swap(waiting_);
      if (!still_) ++tick_;
      lock.unlock();
      for (const auto& wake : due) wake();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::vector<std::function<void()>> waiting_;
  std::atomic<int> tick_ = 0;
  std::atomic<bool> still_ = false;
  std::thread thread_;
};

constexpr int kTokens = 40;
std::string token(int i) { return "data: {\"token\":" + std::to_string(i) + "}\n\n"; }
std::string all_tokens() {
  std::string text;
  for (int i = 0; i < kTokens; ++i) text += token(i);
  return text + "data: [DONE]\n\n";
}

/// A token a tick, as a model would.
class Speaking final : public Continuation {
 public:
  Speaking(Clockwork& clock, std::atomic<int>& n_alive) : clock_(clock), begun_(clock.tick()), n_alive_(n_alive) { ++n_alive_; }
  ~Speaking() override { --n_alive_; }
  bool is_stream() const override { return true; }
  bool pull(HttpResponse& response) override {
    for (; n_said_ < std::min(kTokens, clock_.tick() - begun_); ++n_said_) response.body += token(n_said_);
    if (n_said_ < kTokens) return false;
    response.body += "data: [DONE]\n\n";
    return true;
  }
  void when_ready(std::function<void()> wake) override { clock_.at_next_tick(std::move(wake)); }

 private:
  Clockwork& clock_;
  int begun_;
  int n_said_ = 0;
  std::atomic<int>& n_alive_;
};

std::string post(const std::string& path, const std::string& body, const char* more = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Asks for a stream and reads it to its end without a thread of its own.
class Listener {
 public:
  Listener(asio::io_context& io, uint16_t port) : socket_(io) {
    parser_.body_limit(boost::none);
    socket_.async_connect({asio::ip::address_v4::loopback(), port}, [this](auto error) {
      if (error) return;
      asio::async_write(socket_, asio::buffer(request_), [this](auto failed, size_t) {
        if (failed) return;
        http::async_read(socket_, buffer_, parser_, [this](auto, size_t) { socket_.close(); });
      });
    });
  }
  bool has_all() const { return parser_.is_done() && parser_.get().body() == all_tokens(); }

 private:
  const std::string request_ = post("/speak", "{}", "Connection: close\r\n");
  tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

class HttpLoadTest : public testing::Test {
 protected:
  HttpLoadTest() {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    HttpServerOptions options;
    options.port = 0;
    options.limits.linger = std::chrono::milliseconds(300);
    server_ = std::make_unique<HttpServer>(options, [this](HttpRequest request) -> Reply {
      if (request.path == "/speak") {
        return {.response = {.content_type = "text/event-stream"}, .rest = std::make_unique<Speaking>(clock_, n_alive_)};
      }
      return json_reply(request.body.size());
    });
  }
  uint16_t port() const { return static_cast<uint16_t>(server_->port()); }
  tcp::socket connect() {
    tcp::socket socket(io_);
    socket.connect({asio::ip::address_v4::loopback(), port()});
    return socket;
  }
  static void send(tcp::socket& socket, const std::string& bytes) {
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
  }
  void wait_until_idle() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (server_->n_connections() > 0 && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(server_->n_connections(), 0);
  }
  /// Of `n` listeners how many heard everything.
  int listen(int n) {
    asio::io_context io;
    std::list<Listener> listeners;
    for (int i = 0; i < n; ++i) listeners.emplace_back(io, port());
    io.run();
    return static_cast<int>(std::ranges::count_if(listeners, &Listener::has_all));
  }

  Clockwork clock_;
  std::atomic<int> n_alive_ = 0;
  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpLoadTest, AThousandStreamsLoseNothingAndLeaveNothingBehind) {
  constexpr int kStreams = 1000;
  EXPECT_EQ(listen(kStreams), kStreams);
  wait_until_idle();
  const size_t before = mallinfo2().uordblks;
  // Again, among clients who send rubbish, go away, read nothing, or stop in the middle of a request.
  std::vector<std::string> bad = {std::string(100, '\0'), "\xff\xfe\r\n\r\n", "GET", post("/speak", "{}"),
                                        "POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
                                        "GET / HTTP/1.1\r\nA: " + std::string(10 << 20, 'a')};
  std::list<tcp::socket> held;
  for (int i = 0; i < 100; ++i) {
    tcp::socket socket = connect();
    send(socket, bad[static_cast<size_t>(i) % bad.size()]);
    if (i % 3 == 0) socket.shutdown(tcp::socket::shutdown_send);
    if (i % 3 != 1) held.push_back(std::move(socket));
  }
  EXPECT_EQ(listen(kStreams), kStreams);
  held.clear();
  bad = {};
  wait_until_idle();
  EXPECT_EQ(n_alive_, 0);
  // A connection has buffers of 16 KiB: one that stayed for every tenth stream would show.
  const size_t after = mallinfo2().uordblks;
  EXPECT_LT(after, before + (100u * 16 << 10));
}

TEST_F(HttpLoadTest, DrainingFinishesWhatHasBegunAndTakesNoMore) {
  constexpr int kStreams = 300, kClients = 6;
  clock_.stand_still(true);  // no stream ends before all have begun
  asio::io_context io;
  std::list<Listener> listeners;
  for (int i = 0; i < kStreams; ++i) listeners.emplace_back(io, port());
  while (n_alive_ < kStreams) io.run_one_for(std::chrono::milliseconds(10));
  // Others ask one thing after the other: each answer is whole, or did not begin.
  std::atomic<int> n_answered = 0, n_broken = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      asio::io_context own;
      tcp::socket socket(own);
      socket.connect({asio::ip::address_v4::loopback(), port()});
      boost::beast::flat_buffer buffer;
      boost::system::error_code error;
      while (!error) {
        asio::write(socket, asio::buffer(post("/echo", std::string(1000, 'a'))), error);
        if (error) break;
        http::response_parser<http::string_body> parser;
        http::read(socket, buffer, parser, error);
        if (!error) ++n_answered;
        if (error && parser.got_some()) ++n_broken;
      }
    });
  }
  while (n_answered < 50) io.run_one_for(std::chrono::milliseconds(10));
  clock_.stand_still(false);
  std::thread stopper([&] { EXPECT_TRUE(server_->drain(std::chrono::seconds(20))); });
  io.run();
  stopper.join();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(n_broken, 0);
  EXPECT_EQ(std::ranges::count_if(listeners, &Listener::has_all), kStreams);
  EXPECT_EQ(server_->n_connections(), 0);
}

}  // namespace
}  // namespace glint::server
