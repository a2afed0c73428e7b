// SPDX-License-Identifier: Apache-2.0
#include "server/on_model.h"

#include <mutex>

#include "server/http_format.h"

namespace glint::server {
namespace {

/// Reads no further than the member; what comes behind is the endpoint's to judge.
class ModelFinder final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool string(string_t& text) override {
    if (is_next_) name_ = text;
    return value();
  }
  bool key(string_t& name) override {
    is_next_ = depth_ == 1 && name == "model";
    return true;
  }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  std::string take() { return std::move(name_); }

 private:
  bool value() { return !is_next_; }
  bool open() {
    ++depth_;
    return value();
  }
  bool close() {
    --depth_;
    return true;
  }

  std::string name_;
  int depth_ = 0;
  bool is_next_ = false;  // the next value is the model's name
};

/// A reply whose model is held until it is out.
class Holding final : public Continuation {
 public:
  Holding(std::unique_ptr<Continuation> rest, Models::Lease lease) : lease_(std::move(lease)), rest_(std::move(rest)) {}
  bool is_stream() const override { return rest_->is_stream(); }
  bool pull(HttpResponse& response) override { return rest_->pull(response); }
  void when_ready(std::function<void()> wake) override { rest_->when_ready(std::move(wake)); }
  void cancel() override { rest_->cancel(); }
  std::string ping() override { return rest_->ping(); }

 private:
  Models::Lease lease_;  // first: the rest uses it
  std::unique_ptr<Continuation> rest_;
};

/// The other end of a Waiting, which may go first.
struct Awaited {
  std::mutex mutex;
  std::unique_ptr<Reply> reply;  // null: not yet
  std::function<void()> wake;
  bool is_abandoned = false;

  void set(std::unique_ptr<Reply> made) {
    std::function<void()> call;
    {
      const std::lock_guard lock(mutex);
      if (reply) return;
      reply = std::move(made);
      call.swap(wake);
    }
    if (call) call();
  }
};

/// Until the model is there.
class Waiting final : public Continuation {
 public:
  Waiting(std::shared_ptr<Awaited> awaited, std::string path) : awaited_(std::move(awaited)), path_(std::move(path)) {}
  ~Waiting() override {
    const std::lock_guard lock(awaited_->mutex);
    awaited_->is_abandoned = true;
    awaited_->wake = nullptr;
  }
  bool is_stream() const override { return false; }
  bool pull(HttpResponse&) override { return false; }
  std::unique_ptr<Reply> become() override {
    const std::lock_guard lock(awaited_->mutex);
    return std::move(awaited_->reply);
  }
  void when_ready(std::function<void()> wake) override {
    {
      const std::lock_guard lock(awaited_->mutex);
      if (!awaited_->reply) {
        awaited_->wake = std::move(wake);
        return;
      }
    }
    wake();
  }
  void cancel() override {
    awaited_->set(std::make_unique<Reply>(error_reply(path_, ApiError::unavailable("the server is stopping"))));
  }

 private:
  std::shared_ptr<Awaited> awaited_;
  std::string path_;
};

Reply run(const ModelEndpoint& endpoint, Models::Lease lease, const HttpRequest& request) {
  Reply reply = endpoint(*lease, request);
  if (reply.rest) reply.rest = std::make_unique<Holding>(std::move(reply.rest), std::move(lease));
  return reply;
}

Reply wait_for(Models& models, size_t model, const std::shared_ptr<const ModelEndpoint>& endpoint, const HttpRequest& request) {
  const auto awaited = std::make_shared<Awaited>();
  models.request(model, [awaited, endpoint, request](Models::Lease lease, const std::string& error) {
    {
      const std::lock_guard lock(awaited->mutex);
      if (awaited->is_abandoned) return;
    }
    awaited->set(std::make_unique<Reply>(reply_or_error(request.path, [&] {
      if (!lease) throw ApiError::unavailable(error);
      return run(*endpoint, std::move(lease), request);
    })));
  });
  return {.rest = std::make_unique<Waiting>(awaited, request.path)};
}

}  // namespace

std::string named_model(const HttpRequest& request) {
  ModelFinder finder;
  if (!request.body.empty()) Json::sax_parse(request.body, &finder, nlohmann::detail::input_format_t::json, false);
  std::string name = finder.take();
  if (!name.empty()) return name;
  const std::optional<std::string> queried = decode_percent(query_value(request.query, "model").value_or(""));
  return queried.value_or("");
}

Router::Endpoint on_loaded_model(Models& models, ModelEndpoint endpoint) {
  return [&models, endpoint = std::move(endpoint)](const HttpRequest& request) {
    Models::Lease lease = models.look(models.find(named_model(request)));
    if (!lease) throw ApiError::unavailable("the model is not loaded");
    return run(endpoint, std::move(lease), request);
  };
}

Router::Endpoint on_model(Models& models, ModelEndpoint endpoint) {
  return [&models, endpoint = std::make_shared<const ModelEndpoint>(std::move(endpoint))](const HttpRequest& request) {
    const size_t model = models.find(models.size() == 1 ? std::string() : named_model(request));
    Models::Lease lease = models.lease(model);
    return lease ? run(*endpoint, std::move(lease), request) : wait_for(models, model, endpoint, request);
  };
}

}  // namespace glint::server
