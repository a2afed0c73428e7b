// SPDX-License-Identifier: Apache-2.0
//
// `glint serve`: the HTTP server. Listens first, so that /health can say "loading", then loads the model; SIGTERM or
// Ctrl-C lets running answers end, a second one ends at once.
// Tested by tests/integration/serve_test.py.
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>

#include "apps/commands.h"
#include "apps/generation_options.h"
#include "apps/model_options.h"
#include "apps/prompt.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "server/application.h"
#include "server/http_server.h"

namespace glint::app {
namespace {

struct ServeOptions {
  ModelOptions model;
  GenerationOptions generation;
  PromptOptions prompt;
  server::HttpServerOptions http;
  server::ApplicationOptions application;
  BatchOptions batch;
  std::vector<std::string> api_key_files;
  std::string aliases;
  int n_parallel = 16;
  int timeout_seconds = 120;
  int ping_seconds = 15;
  int drain_seconds = 8;
  bool prefill = true;
  bool slots = true, metrics = true;
  bool log_requests = true;
};

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (end > at) items.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return items;
}

std::vector<std::string> api_keys(const ServeOptions& options) {
  std::vector<std::string> keys;
  for (const std::string& text : options.application.api_keys) {
    for (std::string& key : split_list(text)) keys.push_back(std::move(key));
  }
  for (const std::string& path : options.api_key_files) {
    std::ifstream file(path);
    if (!file) fail("{}: cannot be read", path);
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) keys.push_back(line);
    }
  }
  const bool asked = !options.application.api_keys.empty() || !options.api_key_files.empty();
  if (asked && keys.empty()) fail("--api-key: no key was given, so everybody would be let in");
  return keys;
}

/// Each connection is a file.
void raise_file_limit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<std::string> model_names(const ServeOptions& options) {
  std::vector<std::string> names = split_list(options.aliases);
  if (!names.empty()) return names;
  if (options.model.model.empty()) return {"glint-demo"};
  return {options.model.model.substr(options.model.model.find_last_of('/') + 1)};
}

std::shared_ptr<server::Service> load_service(const ServeOptions& options) {
  const GenerationOptions& flags = options.generation;
  if (!flags.grammar.empty() || !flags.grammar_file.empty() || !flags.json_schema.empty() || !flags.json_schema_file.empty())
    fail("serve: grammars and schemas are given with each request");
  EngineOptions engine_options = to_engine_options(options.model, /*exact=*/false);
  engine_options.n_sequences = options.n_parallel;
  Engine engine = open_engine(open_model_file(options.model), engine_options);
  if (!engine.has_vocabulary()) fail("{}: the file has no vocabulary, and a server speaks text", engine.file().name());
  server::ServiceOptions service;
  service.names = model_names(options);
  service.sampling = sampling_flags(options.generation);
  service.n_predict = options.generation.n_predict;
  service.prefill_assistant = options.prefill;
  service.reasoning_budget = options.generation.reasoning_budget;
  service.show_slots = options.slots;
  service.show_metrics = options.metrics;
  service.version = GLINT_VERSION;
  std::optional<ChatTemplate> chat;
  const bool has_template = engine.file().metadata().contains("tokenizer.chat_template") ||
                            !options.prompt.template_text.empty() || !options.prompt.template_file.empty();
  if (has_template) {
    chat.emplace(chat_template(options.prompt, engine.file()));
    service.template_variables = template_variables(options.prompt, *chat);
  }
  return std::make_shared<server::Service>(std::move(engine), options.batch, std::move(chat), std::move(service));
}

void print_access(const server::AccessRecord& record) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  inform("{}", server::describe_access(record));
}

/// Blocks the signals in this thread and those it starts, for wait() to receive.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }
  /// From now on they end the process.
  void restore() const { pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

 private:
  sigset_t signals_;
};

void serve(ServeOptions& options) {
  options.application.api_keys = api_keys(options);
  options.http.limits.idle = std::chrono::seconds(options.timeout_seconds);
  options.http.limits.ping = std::chrono::seconds(options.ping_seconds);
  raise_file_limit();
  const StopSignals signals;
  server::Application application(options.application);
  server::HttpServer http(
      options.http, [&](server::HttpRequest request) { return application.handle(std::move(request)); },
      options.log_requests ? print_access : std::function<void(const server::AccessRecord&)>());
  for (const std::string& url : http.urls()) inform("listening on {}", url);
  const std::shared_ptr<server::Service> service = load_service(options);
  application.set_service(service);
  inform("{} is ready: context {} tokens, up to {} answers at once", service->name(), service->engine().n_ctx(),
         options.n_parallel);
  signals.wait();
  inform("stopping: running answers have {} s to end", options.drain_seconds);
  signals.restore();
  if (!http.drain(std::chrono::seconds(options.drain_seconds))) inform("some answers were ended early");
}

void add_network_options(CLI::App& command, ServeOptions& options) {
  const char* group = "Network";
  command.add_option("--host", options.http.hosts, "addresses to listen on; a path that ends in .sock is a unix socket")
      ->type_name("HOST")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->delimiter(',')->envname("LLAMA_ARG_HOST")->group(group);
  command.add_option("--port", options.http.port, "0: any that is free")
      ->type_name("N")->envname("LLAMA_ARG_PORT")->check(CLI::Range(0, 65535))->capture_default_str()->group(group);
  command.add_option("--api-key", options.application.api_keys, "who knows none of these keys is refused; separated by commas")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("KEYS")->envname("LLAMA_API_KEY")->group(group);
  command.add_option("--api-key-file", options.api_key_files, "keys in a file, one a line")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->type_name("FILE")->group(group);
  command.add_option("--ssl-key-file", options.http.tls_key_file, "PEM key; with a certificate: HTTPS")->type_name("FILE")->group(group);
  command.add_option("--ssl-cert-file", options.http.tls_cert_file, "PEM certificate chain")->type_name("FILE")->group(group);
  command.add_option("--cors-origins,--cors", options.application.origins, "pages that may ask from a browser, or *; default none")
      ->type_name("ORIGINS")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->delimiter(',')->group(group);
  command.add_option("--api-prefix", options.application.prefix, "before every path, as /llm")->type_name("PATH")->group(group);
  command.add_option("--timeout", options.timeout_seconds, "-to: seconds that a connection may be idle")
      ->type_name("N")->check(CLI::Range(1, 1 << 20))->capture_default_str()->group(group);
  command.add_option("--sse-ping-interval", options.ping_seconds, "longest silence of a stream in seconds")
      ->type_name("N")->check(CLI::Range(1, 1 << 20))->capture_default_str()->group(group);
  command.add_option("--threads-http", options.http.n_threads, "threads that move bytes")
      ->type_name("N")->check(CLI::Range(1, 256))->capture_default_str()->group(group);
  command.add_option("--drain-seconds", options.drain_seconds, "how long SIGTERM waits for running answers")
      ->type_name("N")->check(CLI::Range(0, 1 << 20))->capture_default_str()->group(group);
}

void add_service_options(CLI::App& command, ServeOptions& options) {
  const char* group = "Server";
  command.add_option("-a,--alias", options.aliases, "the model's name in the API; more behind commas")->type_name("NAMES")->group(group);
  command.add_option("--parallel", options.n_parallel, "-np: answers that run at once")
      ->type_name("N")->envname("LLAMA_ARG_N_PARALLEL")->check(CLI::Range(1, 256))->capture_default_str()->group(group);
  command.add_option("--queue", options.batch.n_queued, "answers that may wait besides")
      ->type_name("N")->check(CLI::Range(0, 1 << 20))->capture_default_str()->group(group);
  command.add_option("--slot-save-path,--prefix-store", options.batch.store.folder, "folder that keeps computed prefixes for the next start")
      ->type_name("DIR")->group(group);
  command.add_flag("--prefill-assistant,!--no-prefill-assistant", options.prefill, "continue a last message of the assistant (default)")->group(group);
  command.add_flag("--slots,!--no-slots", options.slots, "/slots (default)")->group(group);
  command.add_flag("--metrics,!--no-metrics", options.metrics, "/metrics (default)")->group(group);
  command.add_flag("--ui,--webui,!--no-ui,!--no-webui", options.application.web_page, "the web page at / (default)")->group(group);
  command.add_flag("--log-requests,!--no-log-requests", options.log_requests, "one line a request on stderr, without its text (default)")->group(group);
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Answer over HTTP");
  command->footer(
      "Examples:\n"
      "  glint serve                                           the embedded demo model on http://127.0.0.1:8080\n"
      "  glint serve -m model.gguf --host 0.0.0.0 --api-key SECRET -np 8\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n"
      "docs/SERVER.md lists endpoints and fields.");
  add_model_options(*command, options->model, false);
  add_network_options(*command, *options);
  add_service_options(*command, *options);
  add_prompt_options(*command, options->prompt);
  add_generation_options(*command, options->generation);
  command->callback([options] { serve(*options); });
}

}  // namespace glint::app
