// SPDX-License-Identifier: Apache-2.0
//
// The functions of the C API that open an engine and tell of it. Tested by tests/c_api.
#include <algorithm>
#include <cstring>

#include "c_api/handles.h"
#include "c_api/status.h"

namespace glint::c_api {
namespace {

static_assert(sizeof(glint_engine_options) == offsetof(glint_engine_options, on_warning) + sizeof(void*),
              "adopt() takes no padding at the end");

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw StatusError(GLINT_ERROR_INVALID, fmt::format(format, std::forward<Args>(args)...));
}

int count_or(int32_t given, int otherwise, const char* name) {
  if (given < 0) refuse("{} is {}; it cannot be negative", name, given);
  return given == 0 ? otherwise : given;
}

DType cache_type(const char* given, const char* name) {
  if (given == nullptr) return DType::kF16;
  const std::string text = given;
  for (const char* known : {"f32", "f16", "bf16", "q8_0"}) {
    if (text == known) return *dtype_from_name(text);
  }
  refuse("{}: \"{}\" is unknown; give f32, f16, bf16 or q8_0", name, text);
}

EngineOptions engine_options(const glint_engine_options& options) {
  EngineOptions made;
  made.backend = options.backend == nullptr ? "auto" : options.backend;
  made.card = count_or(options.card, 0, "card");
  made.n_cpu_moe = options.n_cpu_moe == -1 ? -1 : count_or(options.n_cpu_moe, 0, "n_cpu_moe");
  made.n_threads = count_or(options.n_threads, 0, "n_threads");
  made.n_ctx = count_or(options.n_ctx, 0, "n_ctx");
  made.n_ubatch = count_or(options.n_ubatch, made.n_ubatch, "n_ubatch");
  made.n_sequences = count_or(options.n_parallel, 8, "n_parallel");
  if (made.n_ubatch <= made.n_sequences) {
    refuse("n_ubatch is {}; it must be more than the {} of n_parallel", made.n_ubatch, made.n_sequences);
  }
  made.k_dtype = cache_type(options.cache_type_k, "cache_type_k");
  made.v_dtype = cache_type(options.cache_type_v, "cache_type_v");
  if (options.on_progress != nullptr) {
    made.on_load = [progress = options.on_progress, user_data = options.user_data](int64_t done, int64_t total) {
      if (progress(user_data, done, total) != 0) throw StatusError(GLINT_ERROR_ABORTED, "on_progress gave up loading");
    };
  }
  return made;
}

BatchOptions batch_options(const glint_engine_options& options, const glint_engine& engine) {
  BatchOptions made;
  made.n_queued = count_or(options.n_queued, made.n_queued, "n_queued");
  if (options.store_bytes < 0) refuse("store_bytes is {}; it cannot be negative", options.store_bytes);
  if (options.store_folder != nullptr) {
    made.store = {.folder = options.store_folder,
                  .most_bytes = options.store_bytes == 0 ? int64_t{8} << 30 : options.store_bytes,
                  .warn = [&engine](const std::string& text) { engine.warn(text); }};
  }
  return made;
}

glint_engine_options known_options(const glint_engine_options& options) {
  try {
    return adopt(&options, "options");
  } catch (const Error& error) {
    refuse("{}", error.what());
  }
}

}  // namespace
}  // namespace glint::c_api

using namespace glint;
using namespace glint::c_api;

glint_engine::glint_engine(const glint_engine_options& options)
    : user_data(options.user_data), on_warning(options.on_warning) {
  if (options.model == nullptr) refuse("model: give the path of a GGUF file");
  const EngineOptions wanted = engine_options(options);
  const BatchOptions batching = batch_options(options, *this);
  Engine engine = Engine::open(gguf::File::open(options.model), wanted);
  for (const Finding& finding : engine.model().findings) {
    if (finding.level != FindingLevel::kNote) {
      warn(finding.text + (finding.fix.empty() ? "" : " (" + finding.fix + ")"));
    }
  }
  const gguf::Metadata& metadata = engine.file().metadata();
  if (engine.has_vocabulary() && metadata.contains("tokenizer.chat_template")) {
    chat_template.emplace(metadata.string("tokenizer.chat_template"), template_tokens(metadata));
    format = ReplyFormat::detect(chat_template->source());
  }
  device = engine.plan().machine.device;
  batch = std::make_unique<BatchEngine>(std::move(engine), batching);
  const ModelSpec& spec = facts().model().spec;
  if (facts().has_vocabulary()) {
    compiler = std::make_unique<ConstraintCompiler>(facts().tokenizer().vocab(), spec.n_vocab, format);
  }
  info = {.size = sizeof info,
          .architecture = spec.architecture.c_str(),
          .device = device.c_str(),
          .n_ctx = facts().n_ctx(),
          .n_ctx_train = spec.n_ctx_train,
          .n_vocab = spec.n_vocab,
          .n_layers = static_cast<int32_t>(spec.layers.size()),
          .n_threads = facts().options().n_threads,
          .n_parallel = facts().options().n_sequences,
          .has_vocabulary = facts().has_vocabulary(),
          .has_chat_template = chat_template.has_value()};
}

void glint_engine::warn(const std::string& text) const {
  if (on_warning != nullptr) on_warning(user_data, text.c_str());
}

const ChatTemplate& glint_engine::chat() const {
  if (!chat_template) fail("{}: the file has no chat template; give a prompt instead", facts().file().name());
  return *chat_template;
}

ConstraintCompiler& glint_engine::constraints() const {
  if (!compiler) fail("to bind an answer takes a vocabulary, and the file has none");
  return *compiler;
}

extern "C" {

uint32_t glint_api_version(void) { return GLINT_API_VERSION; }
const char* glint_version(void) { return GLINT_VERSION; }

glint_status glint_engine_open(const glint_engine_options* options, glint_engine** engine) {
  return guarded(GLINT_ERROR_MODEL, [&]() -> glint_status {
    if (engine != nullptr) *engine = nullptr;
    if (engine == nullptr || options == nullptr) refuse("engine and options cannot be NULL");
    *engine = new glint_engine(known_options(*options));
    return GLINT_OK;
  });
}

void glint_engine_free(glint_engine* engine) { delete engine; }

const glint_engine_info* glint_engine_get_info(const glint_engine* engine) {
  return engine == nullptr ? nullptr : &engine->info;
}

glint_status glint_engine_get_statistics(const glint_engine* engine, glint_statistics* statistics) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    const size_t size = require(statistics, "statistics").size;
    if (size < sizeof(size_t)) fail("statistics: size is {}; set it to sizeof of the struct", size);
    const BatchEngine::Status status = require(engine, "engine").batch->status();
    glint_statistics made = {.size = std::min(size, sizeof made),
                             .n_open = status.n_open,
                             .n_running = status.counts.n_running,
                             .n_waiting = status.counts.n_waiting,
                             .n_pages = status.counts.n_pages,
                             .n_free_pages = status.counts.n_free_pages,
                             .n_idle_pages = status.counts.n_idle_pages,
                             .n_steps = status.counts.n_steps,
                             .n_tokens = status.counts.n_rows,
                             .n_preempted = status.counts.n_preempted};
    std::memcpy(statistics, &made, made.size);
    return GLINT_OK;
  });
}

}  // extern "C"
