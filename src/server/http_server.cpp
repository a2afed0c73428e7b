// SPDX-License-Identifier: Apache-2.0
#include "server/http_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "base/check.h"

namespace glint::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Local = asio::local::stream_protocol;
using boost::system::error_code;

std::string describe(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), endpoint.port())
                         : fmt::format("{}:{}", address.to_string(), endpoint.port());
}
std::string describe(const Local::endpoint&) { return "unix"; }

/// A socket file that a server left behind may be replaced; any other file may not.
void remove_stale_socket(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, HttpHandler handler, std::function<void(const AccessRecord&)> on_access)
      : workers_(static_cast<size_t>(options.n_workers)), guard_(asio::make_work_guard(io_)) {
    context_.limits = options.limits;
    context_.handler = std::move(handler);
    context_.on_access = std::move(on_access);
    context_.workers = &workers_;
    load_tls(options);
    port_ = options.port;
    for (const std::string& host : options.hosts) {
      if (host.ends_with(".sock")) {
        listen_local(host);
      } else {
        listen_tcp(host);
      }
    }
    for (int i = 0; i < options.n_threads; ++i) threads_.emplace_back([this] { io_.run(); });
  }

  ~Impl() {
    stop_listening();
    for_each_connection([](HttpConnection& connection) { connection.abort(); });
    workers_.join();
    // What the workers answered may be on its way to connections that are closed by now.
    guard_.reset();
    for (std::thread& thread : threads_) thread.join();
    for (const std::string& path : socket_files_) unlink(path.c_str());
  }

  int port() const { return port_; }
  std::vector<std::string> urls() const { return urls_; }
  int n_connections() const { return context_.n_connections; }

  bool drain(std::chrono::milliseconds patience) {
    context_.draining = true;
    stop_listening();
    for_each_connection([](HttpConnection& connection) { connection.drain(); });
    if (wait_until_empty(patience)) return true;
    for_each_connection([](HttpConnection& connection) { connection.cancel(); });
    wait_until_empty(std::chrono::seconds(2));
    return false;
  }

 private:
  void load_tls(const HttpServerOptions& options) {
    if (options.tls_key_file.empty() != options.tls_cert_file.empty()) fail("TLS needs both a key and a certificate file");
    if (options.tls_key_file.empty()) return;
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    error_code error;
    tls_->use_certificate_chain_file(options.tls_cert_file, error);
    if (error) fail("{}: no usable PEM certificate: {}", options.tls_cert_file, error.message());
    tls_->use_private_key_file(options.tls_key_file, asio::ssl::context::pem, error);
    if (error) fail("{}: no usable PEM key: {}", options.tls_key_file, error.message());
  }

  void listen_tcp(const std::string& host) {
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(host, std::to_string(port_), tcp::resolver::passive, error);
    if (error || found.empty()) fail("cannot listen on {}: {}", host, error.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp::acceptor& acceptor = tcp_acceptors_.emplace_back(asio::make_strand(io_));
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      fail("cannot listen on {}: {}{}", describe(endpoint), error.message(),
           error == asio::error::address_in_use ? "; choose another port with --port" : "");
    }
    port_ = acceptor.local_endpoint().port();
    urls_.push_back(fmt::format("http{}://{}", tls_ ? "s" : "", describe(acceptor.local_endpoint())));
    accept(acceptor);
  }

  void listen_local(const std::string& path) {
    remove_stale_socket(path);
    error_code error;
    Local::acceptor& acceptor = local_acceptors_.emplace_back(asio::make_strand(io_));
    if (path.size() >= sizeof(sockaddr_un::sun_path)) fail("{}: too long for the path of a unix socket", path);
    acceptor.open(Local(), error);
    if (!error) acceptor.bind(Local::endpoint(path), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) fail("cannot listen on {}: {}", path, error.message());
    socket_files_.push_back(path);
    urls_.push_back("unix:" + path);
    accept(acceptor);
  }

  template <class Acceptor>
  void accept(Acceptor& acceptor) {
    using Protocol = typename Acceptor::protocol_type;
    auto socket = std::make_shared<typename Protocol::socket>(asio::make_strand(io_));
    acceptor.async_accept(*socket, [this, &acceptor, socket](error_code error) {
      if (!acceptor.is_open()) return;
      if (error) return pause(acceptor);  // such as no free file descriptor
      if (context_.n_connections < context_.limits.connections) {
        if constexpr (std::is_same_v<Protocol, tcp>) socket->set_option(tcp::no_delay(true), error);
        const auto peer = socket->remote_endpoint(error);
        add(make_connection(std::move(*socket), describe(peer), context_, tls_ ? &*tls_ : nullptr));
      }
      accept(acceptor);
    });
  }

  template <class Acceptor>
  void pause(Acceptor& acceptor) {
    auto timer = std::make_shared<asio::steady_timer>(acceptor.get_executor(), std::chrono::milliseconds(100));
    timer->async_wait([this, &acceptor, timer](error_code) {
      if (acceptor.is_open()) accept(acceptor);
    });
  }

  void add(const std::shared_ptr<HttpConnection>& connection) {
    {
      const std::lock_guard lock(mutex_);
      if (connections_.size() >= n_swept_ * 2) {
        connections_.remove_if([](const auto& weak) { return weak.expired(); });
        n_swept_ = std::max<size_t>(connections_.size(), 64);
      }
      connections_.push_back(connection);
    }
    connection->start();
    if (context_.draining) connection->drain();
  }

  void for_each_connection(void (*action)(HttpConnection&)) {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : connections_) {
      if (const auto connection = weak.lock()) action(*connection);
    }
  }

  template <class Acceptors>
  void close_all(Acceptors& acceptors) {
    for (auto& acceptor : acceptors) {
      asio::post(acceptor.get_executor(), [&acceptor] {
        error_code ignored;
        acceptor.close(ignored);
      });
    }
  }
  void stop_listening() {
    close_all(tcp_acceptors_);
    close_all(local_acceptors_);
  }

  bool wait_until_empty(std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (context_.n_connections > 0) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  asio::io_context io_;
  std::optional<asio::ssl::context> tls_;
  HttpContext context_;
  asio::thread_pool workers_;
  std::list<tcp::acceptor> tcp_acceptors_;
  std::list<Local::acceptor> local_acceptors_;
  std::vector<std::string> urls_, socket_files_;
  int port_ = 0;
  std::mutex mutex_;  // over the next two
  std::list<std::weak_ptr<HttpConnection>> connections_;
  size_t n_swept_ = 64;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

HttpServer::HttpServer(const HttpServerOptions& options, HttpHandler handler,
                       std::function<void(const AccessRecord&)> on_access)
    : impl_(std::make_unique<Impl>(options, std::move(handler), std::move(on_access))) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return impl_->port(); }
std::vector<std::string> HttpServer::urls() const { return impl_->urls(); }
int HttpServer::n_connections() const { return impl_->n_connections(); }
bool HttpServer::drain(std::chrono::milliseconds patience) { return impl_->drain(patience); }

}  // namespace glint::server
