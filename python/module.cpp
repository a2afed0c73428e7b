// SPDX-License-Identifier: Apache-2.0
//
// The Python module glint._glint: the C API (include/glint/glint.h) as classes, without the GIL wherever it may wait.
// What people use is python/glint/__init__.py, which calls this. Tested by tests/python.
#include <glint/glint.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <stdexcept>

namespace nb = nanobind;

namespace {

using Text = std::optional<std::string>;

/// Becomes the Python exception of its status.
struct Failure : std::runtime_error {
  Failure(glint_status code, const std::string& message) : std::runtime_error(message), status(code) {}
  glint_status status;
};

void check(glint_status status) {
  if (status < 0) throw Failure(status, glint_last_error());
}

const char* pointer(const Text& text) { return text ? text->c_str() : nullptr; }

/// Python's Ctrl-C, or another signal whose handler threw. With the GIL.
bool is_interrupted() { return PyErr_CheckSignals() != 0; }

/// What a model's file or the store warned of. Callbacks come from threads that must not wait for the GIL.
struct Warnings {
  std::mutex mutex;
  std::vector<std::string> texts;
  static void add(void* self, const char* text) {
    auto& warnings = *static_cast<Warnings*>(self);
    const std::lock_guard lock(warnings.mutex);
    warnings.texts.emplace_back(text);
  }
};

struct EngineOptions {
  std::string model;
  std::string backend = "auto";
  int context = 0, threads = 0, parallel = 0, queued = 0, batch = 0, cpu_moe = 0, card = 0;
  std::string cache_type_k = "f16", cache_type_v = "f16";
  Text store_folder;
  int64_t store_bytes = 0;
  nb::object progress = nb::none();
};

/// Told of loading: calls Python, and gives up where it throws.
struct Progress {
  nb::object callback;
  Warnings* warnings;
  static int32_t tell(void* self, int64_t done, int64_t total) {
    auto& progress = *static_cast<Progress*>(self);
    const nb::gil_scoped_acquire gil;
    if (is_interrupted()) return 1;
    if (progress.callback.is_none()) return 0;
    PyObject* result = PyObject_CallFunction(progress.callback.ptr(), "LL", static_cast<long long>(done),
                                             static_cast<long long>(total));
    Py_XDECREF(result);
    return result == nullptr;  // the exception stays set
  }
};

struct ChatOptions {
  Text messages, tools, variables;
  int thinking = 0;
  bool complete = false;

  glint_chat view() const {
    glint_chat chat = {};
    chat.size = sizeof chat;
    chat.messages = pointer(messages);
    chat.tools = pointer(tools);
    chat.variables = pointer(variables);
    chat.thinking = thinking;
    chat.is_complete = complete;
    return chat;
  }
};

struct RequestOptions {
  Text prompt;
  std::optional<ChatOptions> chat;
  bool has_ids = false;  // then these are the prompt
  std::vector<int32_t> ids;
  int max_tokens = 0, completions = 1, logprobs = 0, priority = 0, constraint_kind = 0, thinking_budget = 0;
  bool ignore_eos = false, show_special = false;
  Text constraint, samplers;
  std::vector<std::pair<std::string, double>> settings;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<std::string> stop;
};

struct Event {
  int completion;
  int token;
  std::string text;
  double logprob;
  std::vector<std::pair<int32_t, double>> top;
  nb::object finish;
};

nb::dict finish_dict(const glint_finish& finish) {
  nb::dict made;
  made["reason"] = finish.reason;
  made["end_token"] = finish.end_token;
  made["stop_string"] = finish.stop_string;
  made["error"] = finish.error;
  made["n_prompt"] = finish.n_prompt;
  made["n_cached"] = finish.n_cached;
  made["n_computed"] = finish.n_computed;
  made["n_predicted"] = finish.n_predicted;
  made["queue_seconds"] = finish.queue_seconds;
  made["prompt_seconds"] = finish.prompt_seconds;
  made["predicted_seconds"] = finish.predicted_seconds;
  made["parting_position"] = finish.parting_position;
  made["parting_prompt_text"] = finish.parting_prompt_text;
  made["parting_cached_text"] = finish.parting_cached_text;
  return made;
}

class Stream {
 public:
  explicit Stream(glint_stream* stream) : stream_(stream) {}
  ~Stream() { glint_stream_free(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// None at the end. Ctrl-C cancels.
  std::optional<Event> next() {
    const glint_event* event = nullptr;
    glint_status status = GLINT_TIMEOUT;
    while (status == GLINT_TIMEOUT) {
      {
        const nb::gil_scoped_release no_gil;
        const std::lock_guard lock(mutex_);
        status = glint_stream_next(stream_, kPatienceMs, &event);
      }
      if (is_interrupted()) {
        glint_stream_cancel(stream_);
        throw nb::python_error();
      }
    }
    check(status);
    if (status == GLINT_END) return std::nullopt;
    Event made{event->completion, event->id, std::string(event->text, event->text_size), event->logprob, {},
               event->finish != nullptr ? nb::object(finish_dict(*event->finish)) : nb::none()};
    for (size_t i = 0; i < event->n_top; ++i) made.top.emplace_back(event->top[i].id, event->top[i].logprob);
    return made;
  }
  void cancel() { check(glint_stream_cancel(stream_)); }

 private:
  static constexpr int kPatienceMs = 50;  // between two looks for Ctrl-C
  glint_stream* stream_;
  std::mutex mutex_;
};

class Engine {
 public:
  explicit Engine(const EngineOptions& options) : warnings_(std::make_unique<Warnings>()) {
    Progress progress{options.progress, warnings_.get()};
    glint_engine_options wanted = {};
    wanted.size = sizeof wanted;
    wanted.model = options.model.c_str();
    wanted.backend = options.backend.c_str();
    wanted.cache_type_k = options.cache_type_k.c_str();
    wanted.cache_type_v = options.cache_type_v.c_str();
    wanted.card = options.card;
    wanted.n_cpu_moe = options.cpu_moe;
    wanted.n_threads = options.threads;
    wanted.n_ctx = options.context;
    wanted.n_ubatch = options.batch;
    wanted.n_parallel = options.parallel;
    wanted.n_queued = options.queued;
    wanted.store_folder = pointer(options.store_folder);
    wanted.store_bytes = options.store_bytes;
    // Both callbacks get the same pointer, so it is of the one who is called later.
    static thread_local Progress* loading = nullptr;
    loading = &progress;
    wanted.user_data = warnings_.get();
    wanted.on_progress = [](void*, int64_t done, int64_t total) { return Progress::tell(loading, done, total); };
    wanted.on_warning = Warnings::add;
    glint_engine* opened = nullptr;
    glint_status status;
    {
      const nb::gil_scoped_release no_gil;
      status = glint_engine_open(&wanted, &opened);
    }
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    check(status);
    // Joins the engine's threads.
    engine_ = std::shared_ptr<glint_engine>(opened, [](glint_engine* engine) {
      const nb::gil_scoped_release no_gil;
      glint_engine_free(engine);
    });
  }

  void close() { engine_.reset(); }
  bool is_closed() const { return engine_ == nullptr; }
  std::vector<std::string> warnings() const {
    const std::lock_guard lock(warnings_->mutex);
    return warnings_->texts;
  }

  std::unique_ptr<Stream> submit(const RequestOptions& options) const {
    const std::shared_ptr<glint_engine> engine = open();
    glint_request request = {};
    request.size = sizeof request;
    request.prompt = pointer(options.prompt);
    glint_chat chat;
    if (options.chat) chat = options.chat->view(), request.chat = &chat;
    static constexpr int32_t kNone = 0;
    if (options.has_ids) request.ids = options.ids.empty() ? &kNone : options.ids.data(), request.n_ids = options.ids.size();
    request.n_predict = options.max_tokens;
    request.n_completions = options.completions;
    request.n_logprobs = options.logprobs;
    request.priority = options.priority;
    request.ignore_eos = options.ignore_eos;
    request.show_special = options.show_special;
    request.thinking_budget = options.thinking_budget;
    request.constraint_kind = options.constraint_kind;
    request.constraint = pointer(options.constraint);
    request.samplers = pointer(options.samplers);
    std::vector<glint_setting> settings;
    for (const auto& [name, value] : options.settings) settings.push_back({name.c_str(), value});
    request.settings = settings.data(), request.n_settings = settings.size();
    std::vector<glint_logit_bias> biases;
    for (const auto& [id, bias] : options.logit_bias) biases.push_back({id, bias});
    request.logit_bias = biases.data(), request.n_logit_bias = biases.size();
    std::vector<const char*> stops;
    for (const std::string& text : options.stop) stops.push_back(text.c_str());
    request.stop_strings = stops.data(), request.n_stop_strings = stops.size();
    glint_stream* stream = nullptr;
    glint_status status;
    {
      const nb::gil_scoped_release no_gil;  // a grammar may take a while
      status = glint_submit(engine.get(), &request, &stream);
    }
    check(status);
    return std::make_unique<Stream>(stream);
  }

  std::vector<int32_t> tokenize(const std::string& text, bool add_special, bool parse_special) const {
    const uint32_t flags = (add_special ? GLINT_TOKENIZE_ADD_SPECIAL : 0) | (parse_special ? GLINT_TOKENIZE_PARSE_SPECIAL : 0);
    return filled<std::vector<int32_t>>([&](const glint_engine* engine, int32_t* ids, size_t capacity, size_t* n) {
      return glint_tokenize(engine, text.data(), text.size(), flags, ids, capacity, n);
    });
  }
  std::string detokenize(const std::vector<int32_t>& ids, bool skip_special) const {
    return filled<std::string>([&](const glint_engine* engine, char* text, size_t capacity, size_t* n) {
      return glint_detokenize(engine, ids.data(), ids.size(), skip_special ? GLINT_DETOKENIZE_SKIP_SPECIAL : 0, text,
                              capacity, n);
    });
  }
  std::string render(const ChatOptions& options) const {
    const glint_chat chat = options.view();
    return filled<std::string>([&](const glint_engine* engine, char* text, size_t capacity, size_t* n) {
      return glint_chat_render(engine, &chat, text, capacity, n);
    });
  }
  std::vector<int32_t> tokenize_chat(const ChatOptions& options) const {
    const glint_chat chat = options.view();
    return filled<std::vector<int32_t>>([&](const glint_engine* engine, int32_t* ids, size_t capacity, size_t* n) {
      return glint_chat_tokenize(engine, &chat, ids, capacity, n);
    });
  }

  nb::dict info() const {
    const glint_engine_info& info = *glint_engine_get_info(open().get());
    nb::dict made;
    made["architecture"] = info.architecture;
    made["device"] = info.device;
    made["context"] = info.n_ctx;
    made["trained_context"] = info.n_ctx_train;
    made["vocabulary"] = info.n_vocab;
    made["layers"] = info.n_layers;
    made["threads"] = info.n_threads;
    made["parallel"] = info.n_parallel;
    made["has_vocabulary"] = info.has_vocabulary != 0;
    made["has_chat_template"] = info.has_chat_template != 0;
    return made;
  }
  nb::dict statistics() const {
    glint_statistics now = {};
    now.size = sizeof now;
    check(glint_engine_get_statistics(open().get(), &now));
    nb::dict made;
    made["open"] = now.n_open;
    made["running"] = now.n_running;
    made["waiting"] = now.n_waiting;
    made["pages"] = now.n_pages;
    made["free_pages"] = now.n_free_pages;
    made["idle_pages"] = now.n_idle_pages;
    made["steps"] = now.n_steps;
    made["tokens"] = now.n_tokens;
    made["preempted"] = now.n_preempted;
    return made;
  }

 private:
  /// Held by whoever uses it, so that close() from another thread waits for them.
  std::shared_ptr<glint_engine> open() const {
    if (engine_ == nullptr) throw Failure(GLINT_ERROR_SHUT_DOWN, "the engine is closed");
    return engine_;
  }

  /// Calls twice: for the size, and for what there is.
  template <class Result, class Function>
  Result filled(Function&& function) const {
    const std::shared_ptr<glint_engine> engine = open();
    const size_t extra = std::is_same_v<Result, std::string> ? 1 : 0;
    size_t n = 0;
    Result result(256, 0);
    glint_status status;
    {
      const nb::gil_scoped_release no_gil;
      status = function(engine.get(), result.data(), result.size() + extra, &n);
      if (status == GLINT_ERROR_BUFFER) {
        result.resize(n);
        status = function(engine.get(), result.data(), n + extra, &n);
      }
    }
    check(status);
    result.resize(n);
    return result;
  }

  std::unique_ptr<Warnings> warnings_;  // outlives the engine, which warns
  std::shared_ptr<glint_engine> engine_;
};

void bind_options(nb::module_& module) {
  nb::class_<EngineOptions>(module, "EngineOptions")
      .def(nb::init<>())
      .def_rw("model", &EngineOptions::model)
      .def_rw("backend", &EngineOptions::backend)
      .def_rw("context", &EngineOptions::context)
      .def_rw("threads", &EngineOptions::threads)
      .def_rw("parallel", &EngineOptions::parallel)
      .def_rw("queued", &EngineOptions::queued)
      .def_rw("batch", &EngineOptions::batch)
      .def_rw("cpu_moe", &EngineOptions::cpu_moe)
      .def_rw("card", &EngineOptions::card)
      .def_rw("cache_type_k", &EngineOptions::cache_type_k)
      .def_rw("cache_type_v", &EngineOptions::cache_type_v)
      .def_rw("store_folder", &EngineOptions::store_folder, nb::arg().none())
      .def_rw("store_bytes", &EngineOptions::store_bytes)
      .def_rw("progress", &EngineOptions::progress, nb::arg().none());
  nb::class_<ChatOptions>(module, "ChatOptions")
      .def(nb::init<>())
      .def_rw("messages", &ChatOptions::messages, nb::arg().none())
      .def_rw("tools", &ChatOptions::tools, nb::arg().none())
      .def_rw("variables", &ChatOptions::variables, nb::arg().none())
      .def_rw("thinking", &ChatOptions::thinking)
      .def_rw("complete", &ChatOptions::complete);
  nb::class_<RequestOptions>(module, "RequestOptions")
      .def(nb::init<>())
      .def_rw("prompt", &RequestOptions::prompt, nb::arg().none())
      .def_rw("chat", &RequestOptions::chat, nb::arg().none())
      .def_rw("has_ids", &RequestOptions::has_ids)
      .def_rw("ids", &RequestOptions::ids)
      .def_rw("max_tokens", &RequestOptions::max_tokens)
      .def_rw("completions", &RequestOptions::completions)
      .def_rw("logprobs", &RequestOptions::logprobs)
      .def_rw("priority", &RequestOptions::priority)
      .def_rw("constraint_kind", &RequestOptions::constraint_kind)
      .def_rw("constraint", &RequestOptions::constraint, nb::arg().none())
      .def_rw("thinking_budget", &RequestOptions::thinking_budget)
      .def_rw("ignore_eos", &RequestOptions::ignore_eos)
      .def_rw("show_special", &RequestOptions::show_special)
      .def_rw("samplers", &RequestOptions::samplers, nb::arg().none())
      .def_rw("settings", &RequestOptions::settings)
      .def_rw("logit_bias", &RequestOptions::logit_bias)
      .def_rw("stop", &RequestOptions::stop);
}

}  // namespace

NB_MODULE(_glint, module) {
  static nb::object failure = nb::steal(PyErr_NewException("glint._glint.Failure", PyExc_RuntimeError, nullptr));
  module.attr("Failure") = failure;
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Failure& error) {
      PyErr_SetObject(failure.ptr(), nb::make_tuple(error.status, error.what()).ptr());
    }
  });
  module.def("version", &glint_version);
  bind_options(module);
  nb::class_<Event>(module, "Event")
      .def_ro("completion", &Event::completion)
      .def_ro("token", &Event::token)
      .def_ro("text", &Event::text)
      .def_ro("logprob", &Event::logprob)
      .def_ro("top", &Event::top)
      .def_ro("finish", &Event::finish);
  nb::class_<Stream>(module, "Stream").def("next", &Stream::next).def("cancel", &Stream::cancel);
  nb::class_<Engine>(module, "Engine")
      .def(nb::init<const EngineOptions&>())
      .def("close", &Engine::close)
      .def("is_closed", &Engine::is_closed)
      .def("warnings", &Engine::warnings)
      .def("submit", &Engine::submit)
      .def("tokenize", &Engine::tokenize)
      .def("detokenize", &Engine::detokenize)
      .def("render", &Engine::render)
      .def("tokenize_chat", &Engine::tokenize_chat)
      .def("info", &Engine::info)
      .def("statistics", &Engine::statistics);
}
