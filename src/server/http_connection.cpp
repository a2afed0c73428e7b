// SPDX-License-Identifier: Apache-2.0
#include "server/http_connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <optional>
#include <type_traits>

#include "base/check.h"
#include "server/http_format.h"
#include "server/router.h"

namespace glint::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using PlainSocket = asio::generic::stream_protocol::socket;
using TlsSocket = asio::ssl::stream<PlainSocket>;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kPipelinedBytes = 1 << 20;  // of further requests while one is being answered

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

ApiError describe_parse_error(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return {431, "invalid_request_error", "the request's header is too large"};
  if (error == http::error::body_limit) return {413, "invalid_request_error", "the request's body is too large"};
  return ApiError::invalid("this is no HTTP/1.1 request: " + error.message());
}

template <class Socket>
class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection<Socket>> {
  static constexpr bool kIsTls = std::is_same_v<Socket, TlsSocket>;

 public:
  template <class... Args>
  Connection(HttpContext& context, std::string peer, PlainSocket socket, Args&... args)
      : context_(context), peer_(std::move(peer)), socket_(std::move(socket), args...),
        deadline_{asio::steady_timer(socket_.get_executor()), &Connection::on_deadline},
        ping_{asio::steady_timer(socket_.get_executor()), &Connection::send_ping} {
    ++context_.n_connections;
  }
  ~Connection() override { --context_.n_connections; }

  void start() override {
    run([](Connection& self) {
      if constexpr (kIsTls) {
        self.set(self.deadline_, self.context_.limits.header);
        self.socket_.async_handshake(asio::ssl::stream_base::server, [keep = self.shared_from_this()](error_code error) {
          if (error) return keep->close();
          keep->begin_request();
        });
      } else {
        self.begin_request();
      }
    });
  }
  void drain() override {
    run([](Connection& self) {
      if (self.state_ == State::kReading && !self.has_begun_) self.close();
    });
  }
  void cancel() override {
    run([](Connection& self) {
      if (self.rest_) self.rest_->cancel();
    });
  }
  void abort() override {
    run([](Connection& self) { self.close(); });
  }

 private:
  enum class State { kReading, kAnswering, kLingering, kClosed };

  void run(std::function<void(Connection&)> action) {
    asio::post(socket_.get_executor(), [keep = this->shared_from_this(), action = std::move(action)] { action(*keep); });
  }

  void begin_request() {
    if (state_ == State::kClosed) return;
    if (context_.draining || peer_ended_) return close();
    state_ = State::kReading;
    has_begun_ = has_header_ = false;
    headers_.clear();
    record_ = {};
    record_.peer = peer_;
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(context_.limits.header_bytes));
    parser_->body_limit(context_.limits.body_bytes);
    set(deadline_, context_.limits.idle);
    parse();
  }

  void parse() {
    if (buffer_.size() == 0) return read_more();
    if (!has_begun_) {
      has_begun_ = true;
      started_ = Clock::now();
      set(deadline_, context_.limits.header);
    }
    error_code error;
    const size_t n_used = parser_->put(buffer_.data(), error);
    buffer_.consume(n_used);
    record_.bytes_in += n_used;
    if (error && error != http::error::need_more) return refuse(describe_parse_error(error));
    if (parser_->is_header_done() && !has_header_) {
      has_header_ = true;
      set(deadline_, context_.limits.body);
      if (!parser_->is_done() && lower(header("Expect")) == "100-continue") {
        return write("HTTP/1.1 100 Continue\r\n\r\n", &Connection::parse);
      }
    }
    if (parser_->is_done()) return dispatch();
    read_more();
  }

  std::string header(const char* name) const { return std::string(parser_->get()[name]); }

  void read_more() {
    if (is_reading_ || peer_ended_ || state_ == State::kClosed) return;
    is_reading_ = true;
    socket_.async_read_some(asio::buffer(incoming_), [keep = this->shared_from_this()](error_code error, size_t n) {
      keep->on_read(error, n);
    });
  }

  void on_read(error_code error, size_t n) {
    is_reading_ = false;
    if (state_ == State::kClosed) return;
    if (error) {
      peer_ended_ = true;
      // Who only ends sending may still read what is ready; but nobody works on for a client who seems gone.
      const bool may_read = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
      if (!may_read || state_ != State::kAnswering || rest_) close();
      return;
    }
    if (state_ == State::kLingering) return read_more();  // thrown away
    buffer_.commit(asio::buffer_copy(buffer_.prepare(n), asio::buffer(incoming_, n)));
    if (state_ == State::kReading) return parse();
    if (buffer_.size() > kPipelinedBytes) return close();
    read_more();
  }

  void dispatch() {
    state_ = State::kAnswering;
    deadline_.due.reset();
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    is_http_1_0_ = message.version() < 11;
    HttpRequest request;
    request.method = std::string(message.method_string());
    is_head_ = request.method == "HEAD";
    const std::string target(message.target());
    const size_t question = std::min(target.find('?'), target.size());
    const std::optional<std::string> path = decode_percent(std::string_view(target).substr(0, question));
    if (!path) return refuse(ApiError::invalid("the path has a broken %-escape"));
    request.path = record_.path = *path;
    request.query = target.substr(std::min(target.size(), question + 1));
    for (const auto& field : message) {
      std::string& value = request.headers[lower(std::string_view(field.name_string().data(), field.name_string().size()))];
      if (!value.empty()) value += ", ";
      value += std::string(field.value());
    }
    record_.method = request.method;
    record_.traceparent = std::string(request.header("traceparent"));
    request.body = std::move(parser_->get().body());
    read_more();
    if (request.method != "POST") return on_reply(context_.handler(std::move(request)));
    asio::post(*context_.workers, [keep = this->shared_from_this(), request = std::move(request)]() mutable {
      auto reply = std::make_shared<Reply>(keep->context_.handler(std::move(request)));
      asio::post(keep->socket_.get_executor(), [keep, reply] { keep->on_reply(std::move(*reply)); });
    });
  }

  void refuse(const ApiError& error) {
    state_ = State::kAnswering;
    keep_alive_ = false;
    rest_.reset();
    on_reply(error_reply(record_.path, error));
  }

  void on_reply(Reply reply) {
    if (state_ != State::kAnswering) return;
    reply.response.headers.insert(reply.response.headers.end(), headers_.begin(), headers_.end());
    headers_.clear();
    rest_ = std::move(reply.rest);
    if (context_.draining) keep_alive_ = false;
    if (!rest_) return send_whole(reply.response);
    if (peer_ended_) return close();
    if (!rest_->is_stream()) {
      headers_ = std::move(reply.response.headers);
      return pump();
    }
    if (is_http_1_0_) keep_alive_ = false;
    record_.status = reply.response.status;
    write(format_head(reply.response, is_http_1_0_ ? Framing::kUntilClose : Framing::kChunked, keep_alive_), &Connection::pump);
  }

  void send_whole(const HttpResponse& response) {
    rest_.reset();
    record_.status = response.status;
    std::string bytes = format_head(response, Framing::kLength, keep_alive_);
    if (!is_head_) bytes += response.body;
    write(std::move(bytes), &Connection::finish);
  }

  /// Writes what the continuation has, or waits for it.
  void pump() {
    if (state_ != State::kAnswering || !rest_ || is_writing_) return;
    if (const std::unique_ptr<Reply> other = rest_->become()) return on_reply(std::move(*other));
    HttpResponse part;
    bool is_last = true;
    try {
      is_last = rest_->pull(part);
    } catch (const std::exception& error) {
      if (rest_->is_stream()) return close();  // the head is out: all that is left is to break off
      return refuse(ApiError::internal(error.what()));
    }
    if (!rest_->is_stream()) {
      part.headers.insert(part.headers.end(), headers_.begin(), headers_.end());
      if (is_last) return send_whole(part);
    } else if (is_last || !part.body.empty()) {
      std::string bytes = is_http_1_0_ ? std::move(part.body) : format_chunk(part.body);
      if (is_last && !is_http_1_0_) bytes += kLastChunk;
      return write(std::move(bytes), is_last ? &Connection::finish : &Connection::pump);
    }
    wait();
  }

  void wait() {
    rest_->when_ready([weak = this->weak_from_this()] {
      if (const auto keep = weak.lock()) asio::post(keep->socket_.get_executor(), [keep] { keep->pump(); });
    });
    if (rest_->is_stream()) set(ping_, context_.limits.ping);
  }

  void send_ping() {
    if (state_ != State::kAnswering || !rest_ || is_writing_) return;
    const std::string ping = rest_->ping();
    if (ping.empty()) return;
    write(is_http_1_0_ ? ping : format_chunk(ping), &Connection::pump);
  }

  void write(std::string bytes, void (Connection::*then)()) {
    if (state_ == State::kClosed) return;
    is_writing_ = true;
    ping_.due.reset();
    out_ = std::move(bytes);
    set(deadline_, context_.limits.write);
    asio::async_write(socket_, asio::buffer(out_), [keep = this->shared_from_this(), then](error_code error, size_t n) {
      keep->is_writing_ = false;
      keep->record_.bytes_out += n;
      if (keep->state_ == State::kClosed) return;
      if (error) return keep->close();
      keep->deadline_.due.reset();
      ((*keep).*then)();
    });
  }

  void finish() {
    log(true);
    rest_.reset();
    if (keep_alive_ && !peer_ended_ && !context_.draining) return begin_request();
    linger();
  }

  /// Closing with unread input would make the system take back what was written, so what still comes is read away.
  void linger() {
    state_ = State::kLingering;
    set(deadline_, context_.limits.linger);
    if constexpr (kIsTls) {
      socket_.async_shutdown([keep = this->shared_from_this()](error_code) { keep->close(); });
    } else {
      error_code ignored;
      socket_.shutdown(asio::socket_base::shutdown_send, ignored);
      if (peer_ended_) return close();
      read_more();
    }
  }

  /// Set and cleared for every piece of an answer, so a wait that is pending is left alone if it does not end too late.
  struct Alarm {
    asio::steady_timer timer;
    void (Connection::*ring)();
    std::optional<Clock::time_point> due = {};      // absent: not to ring
    std::optional<Clock::time_point> pending = {};  // when the timer looks
  };

  void set(Alarm& alarm, std::chrono::milliseconds duration) {
    alarm.due = Clock::now() + duration;
    if (!alarm.pending || *alarm.pending > *alarm.due) start(alarm);
  }
  void start(Alarm& alarm) {
    alarm.pending = alarm.due;
    alarm.timer.expires_at(*alarm.due);
    alarm.timer.async_wait([weak = this->weak_from_this(), &alarm](error_code error) {
      const auto keep = weak.lock();
      if (error || !keep) return;
      alarm.pending.reset();
      if (!alarm.due) return;
      if (*alarm.due > Clock::now()) return keep->start(alarm);
      alarm.due.reset();
      ((*keep).*alarm.ring)();
    });
  }

  void on_deadline() {
    if (state_ == State::kReading && has_begun_ && !is_writing_)
      return refuse({408, "invalid_request_error", "the request took too long to arrive"});
    close();
  }

  void close() {
    if (state_ == State::kClosed) return;
    if (state_ == State::kAnswering) log(false);
    state_ = State::kClosed;
    rest_.reset();
    deadline_.timer.cancel();
    ping_.timer.cancel();
    error_code ignored;
    socket_.lowest_layer().close(ignored);
  }

  void log(bool complete) {
    if (!context_.on_access) return;
    record_.complete = complete;
    record_.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    context_.on_access(record_);
  }

  HttpContext& context_;
  std::string peer_;
  Socket socket_;
  Alarm deadline_, ping_;
  State state_ = State::kReading;
  std::array<char, kReadBytes> incoming_;  // what the pending read fills
  boost::beast::flat_buffer buffer_;       // what came and is not parsed
  std::optional<http::request_parser<http::string_body>> parser_;
  std::unique_ptr<Continuation> rest_;
  std::vector<std::pair<std::string, std::string>> headers_;  // for a response that is yet to come
  std::string out_;
  AccessRecord record_;
  Clock::time_point started_ = {};
  bool has_begun_ = false;   // the first byte of a request is here
  bool has_header_ = false;  // and all of its head
  bool is_reading_ = false, is_writing_ = false;
  bool peer_ended_ = false;  // it will send no more
  bool keep_alive_ = false, is_http_1_0_ = false, is_head_ = false;
};

}  // namespace

std::shared_ptr<HttpConnection> make_connection(PlainSocket socket, std::string peer, HttpContext& context,
                                                asio::ssl::context* tls) {
  // Not make_shared: a weak pointer that stays would keep the buffers.
  if (tls == nullptr) {
    return std::shared_ptr<Connection<PlainSocket>>(new Connection<PlainSocket>(context, std::move(peer), std::move(socket)));
  }
  return std::shared_ptr<Connection<TlsSocket>>(new Connection<TlsSocket>(context, std::move(peer), std::move(socket), *tls));
}

}  // namespace glint::server
