// SPDX-License-Identifier: Apache-2.0
//
// `glint serve`: the HTTP server. Listens first, so that /health can say "loading", then loads the model; SIGTERM or
// Ctrl-C lets running answers end, a second one ends at once.
// Tested by tests/integration/serve_test.py.
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <future>
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
#include "server/model_folder.h"

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
  std::string models_folder;
  std::string pooling;
  server::ModelsOptions models;
  int idle_seconds = -1;
  int store_mib = 8192;
  int n_parallel = 16;
  int timeout_seconds = 120;
  int ping_seconds = 15;
  int drain_seconds = 8;
  bool prefill = true;
  bool slots = true, metrics = true, props = false;
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

/// What is left beside others must be worth it, or one of them goes.
constexpr int kLeastContextBesideOthers = 4096;

std::shared_ptr<server::Service> load_service(const ServeOptions& options, const server::ModelEntry& entry, bool has_others,
                                              const std::atomic<bool>& give_up) {
  EngineOptions engine_options = to_engine_options(options.model, /*exact=*/false);
  engine_options.n_sequences = options.n_parallel;
  if (has_others) engine_options.least_ctx = kLeastContextBesideOthers;
  engine_options.on_load = [&](int64_t, int64_t) {
    if (give_up) fail("the server is stopping");
  };
  ModelOptions model = options.model;
  model.model = entry.path;
  Engine engine = open_engine(open_model_file(model), engine_options);
  if (!engine.has_vocabulary()) fail("{}: the file has no vocabulary, and a server speaks text", engine.file().name());
  server::ServiceOptions service;
  service.names = entry.names;
  service.sampling = sampling_flags(options.generation);
  service.n_predict = options.generation.n_predict;
  service.prefill_assistant = options.prefill;
  service.reasoning_budget = options.generation.reasoning_budget;
  if (!options.pooling.empty()) service.pooling = server::parse_pooling(options.pooling);
  service.show_slots = options.slots;
  service.show_metrics = options.metrics;
  service.may_change_props = options.props;
  std::optional<ChatTemplate> chat;
  const bool has_template = engine.file().metadata().contains("tokenizer.chat_template") ||
                            !options.prompt.template_text.empty() || !options.prompt.template_file.empty();
  if (has_template) {
    chat.emplace(chat_template(options.prompt, engine.file()));
    service.template_variables = template_variables(options.prompt, *chat);
  }
  auto loaded = std::make_shared<server::Service>(std::move(engine), options.batch, std::move(chat), std::move(service));
  inform("{} is loaded: context {} tokens, up to {} answers at once", loaded->name(), loaded->engine().n_ctx(), options.n_parallel);
  return loaded;
}

void check(const ServeOptions& options) {
  const GenerationOptions& flags = options.generation;
  if (!flags.grammar.empty() || !flags.grammar_file.empty() || !flags.json_schema.empty() || !flags.json_schema_file.empty())
    fail("serve: grammars and schemas are given with each request");
  const bool has_several = !options.models_folder.empty();
  if (has_several && !options.model.model.empty()) fail("-m and --models-dir: give one of them");
  if (has_several && !options.aliases.empty()) fail("--alias: the models of a folder are named by their files");
}

std::vector<server::ModelEntry> list_models(const ServeOptions& options) {
  if (!options.models_folder.empty()) return server::list_model_folder(options.models_folder);
  const gguf::File file = open_model_file(options.model);
  return {{.names = model_names(options), .path = options.model.model, .file_bytes = file.total_bytes(), .modified = server::unix_time()}};
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
  bool is_pending() const {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
  }
  /// From now on they end the process.
  void restore() const { pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

 private:
  sigset_t signals_;
};

/// One model is loaded here and now; of several each when it is asked for.
std::shared_ptr<server::Models> make_models(const ServeOptions& options, const StopSignals& signals) {
  server::ModelsOptions how = options.models;
  how.idle = std::chrono::seconds(std::max(0, options.idle_seconds));
  const auto load = [&options](const server::ModelEntry& entry, bool has_others, const std::atomic<bool>& give_up) {
    return load_service(options, entry, has_others, give_up);
  };
  auto models = std::make_shared<server::Models>(list_models(options), load, how);
  if (!options.models_folder.empty()) return models;
  const auto loaded = std::make_shared<std::promise<std::string>>();
  models->request(0, [loaded](const server::Models::Lease&, const std::string& error) { loaded->set_value(error); });
  std::future<std::string> error = loaded->get_future();
  while (error.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (signals.is_pending()) fail("stopped while loading the model");
  }
  if (const std::string reason = error.get(); !reason.empty()) fail("{}", reason);
  return models;
}

void print_access(const server::AccessRecord& record) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  inform("{}", server::describe_access(record));
}

void serve(ServeOptions& options) {
  check(options);
  options.application.api_keys = api_keys(options);
  options.batch.store.most_bytes = int64_t{options.store_mib} << 20;
  options.batch.store.warn = [](const std::string& line) { inform("{}", line); };
  options.http.limits.idle = std::chrono::seconds(options.timeout_seconds);
  options.http.limits.ping = std::chrono::seconds(options.ping_seconds);
  raise_file_limit();
  const StopSignals signals;
  server::Application application(options.application);
  server::HttpServer http(
      options.http, [&](server::HttpRequest request) { return application.handle(std::move(request)); },
      options.log_requests ? print_access : std::function<void(const server::AccessRecord&)>());
  for (const std::string& url : http.urls()) inform("listening on {}", url);
  const std::shared_ptr<server::Models> models = make_models(options, signals);
  application.set_models(models);
  if (models->size() == 1) {
    inform("{} is ready", models->entry(0).names.front());
  } else {
    inform("{} models are ready", models->size());
  }
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
  command.add_option("--models-dir", options.models_folder, "folder of GGUF files; a request's \"model\" says which, by its file's name")
      ->type_name("DIR")->envname("LLAMA_ARG_MODELS_DIR")->group(group);
  command.add_option("--models-max", options.models.n_loaded, "of the folder's models in memory at once")
      ->type_name("N")->envname("LLAMA_ARG_MODELS_MAX")->check(CLI::Range(1, 1024))->capture_default_str()->group(group);
  command.add_option("--sleep-idle-seconds", options.idle_seconds, "a model that nobody asked for so long is unloaded until it is needed; -1: never")
      ->type_name("N")->check(CLI::Range(-1, 1 << 30))->capture_default_str()->group(group);
  command.add_option("--parallel", options.n_parallel, "-np: answers that run at once")
      ->type_name("N")->envname("LLAMA_ARG_N_PARALLEL")->check(CLI::Range(1, 256))->capture_default_str()->group(group);
  command.add_option("--queue", options.batch.n_queued, "answers that may wait besides")
      ->type_name("N")->check(CLI::Range(0, 1 << 20))->capture_default_str()->group(group);
  command.add_option("--slot-save-path,--prefix-store", options.batch.store.folder, "folder that keeps computed prefixes for the next start, and slot files")
      ->type_name("DIR")->group(group);
  command.add_option("--prefix-store-mib", options.store_mib, "what it may hold; prefixes that were not used for longest go first")
      ->type_name("N")->check(CLI::Range(1, 1 << 30))->capture_default_str()->group(group);
  command.add_option("--pooling", options.pooling, "of embeddings; default as the file says, or else of the last token")
      ->type_name("KIND")->check(CLI::IsMember({"none", "mean", "cls", "last"}))->group(group);
  command.add_flag_callback("--embedding,--embeddings", [] {}, "accepted; every server embeds as well")->group(group);
  command.add_flag("--prefill-assistant,!--no-prefill-assistant", options.prefill, "continue a last message of the assistant (default)")->group(group);
  command.add_flag("--slots,!--no-slots", options.slots, "/slots (default)")->group(group);
  command.add_flag("--metrics,!--no-metrics", options.metrics, "/metrics (default)")->group(group);
  command.add_flag("--ui,--webui,!--no-ui,!--no-webui", options.application.web_page, "the web page at / (default)")->group(group);
  command.add_flag("--props", options.props, "allow POST /props")->group(group);
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
