// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/cpu_info.h"
#include "base/memory.h"
#include "make_backend.h"
#include "model/arch/arch.h"
#include "model/plan.h"

namespace glint {
namespace {

constexpr int64_t kReserve = 300LL << 20;  // for working memory and everything else of the process
constexpr int kLeastContext = 256;

/// The context asked for, or the largest useful one that fits; throws Error naming the one that would.
int choose_context(const gguf::File& file, const ModelSpec& spec, const ModelPlan& plan, int requested, int n_sequences) {
  const int64_t last_pages = static_cast<int64_t>(n_sequences - 1) * kPageTokens * plan.kv_bytes_per_token;
  const int64_t room =
      std::max<int64_t>(0, available_memory() - static_cast<int64_t>(file.total_bytes()) - last_pages - kReserve);
  const int64_t fitting = room / std::max<int64_t>(1, plan.kv_bytes_per_token);
  const int wanted = requested > 0 ? requested : spec.n_ctx_train;
  if (wanted <= fitting) return wanted;
  if (requested > 0 || fitting < kLeastContext) {
    fail("a context of {} tokens needs {:.1f} MiB of cache, but beside the weights {:.1f} MiB are free; {}", wanted,
         static_cast<double>(wanted) * static_cast<double>(plan.kv_bytes_per_token) / (1 << 20),
         static_cast<double>(room) / (1 << 20),
         fitting < 1 ? std::string("use a smaller model or quantisation") : fmt::format("-c {} fits", fitting));
  }
  return static_cast<int>(fitting / kLeastContext * kLeastContext);
}

}  // namespace

struct Engine::Impl {
  Impl(gguf::File opened, const EngineOptions& requested)
      : file(std::move(opened)), options(requested) {
    if (options.n_threads == 0) options.n_threads = available_cores();
    backend = make_backend(options.backend, options.n_threads);
    std::vector<Finding> findings;
    const ModelSpec spec = read_spec(file, findings);
    const KvFormat kv{options.k_dtype, options.v_dtype};
    check_kv_format(spec, kv);
    options.n_ctx = choose_context(file, spec, plan_model(file, spec, kv), options.n_ctx, options.n_sequences);
    options.n_ubatch = std::min(options.n_ubatch, options.n_ctx);
    model = load_model(file, *backend);
    decoder.emplace(model, *backend,
                    DecoderOptions{.n_ctx = options.n_ctx, .n_sequences = options.n_sequences,
                                   .max_tokens = options.n_ubatch, .kv = kv});
    cached_ids.resize(static_cast<size_t>(options.n_sequences));
    if (file.metadata().contains("tokenizer.ggml.model")) tokenizer.emplace(vocab_from_gguf(file.metadata()));
  }

  gguf::File file;
  EngineOptions options;
  std::unique_ptr<Backend> backend;
  LoadedModel model;
  std::optional<Decoder> decoder;
  std::optional<Tokenizer> tokenizer;
  std::vector<std::vector<int32_t>> cached_ids;  // [n_sequences]
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(gguf::File file, const EngineOptions& options) {
  return Engine(std::make_unique<Impl>(std::move(file), options));
}

const gguf::File& Engine::file() const { return impl_->file; }
const LoadedModel& Engine::model() const { return impl_->model; }
const EngineOptions& Engine::options() const { return impl_->options; }
int Engine::n_ctx() const { return impl_->options.n_ctx; }
Decoder& Engine::decoder() { return *impl_->decoder; }

std::vector<int32_t>& Engine::cached_ids(int sequence) {
  if (sequence < 0 || sequence >= impl_->options.n_sequences) {
    fail("sequence {} does not exist; the engine was opened for {}", sequence, impl_->options.n_sequences);
  }
  return impl_->cached_ids[static_cast<size_t>(sequence)];
}

bool Engine::has_vocabulary() const { return impl_->tokenizer.has_value(); }

const Tokenizer& Engine::tokenizer() const {
  if (!impl_->tokenizer) fail("{}: the file has no vocabulary; give token ids with --ids", impl_->file.name());
  return *impl_->tokenizer;
}

void Engine::check_ids(std::span<const int32_t> ids) const {
  for (int32_t id : ids) {
    if (id < 0 || id >= impl_->model.spec.n_vocab) {
      fail("token id {} is outside the vocabulary of {}", id, impl_->model.spec.n_vocab);
    }
  }
}

void Engine::for_each_logits(std::span<const int32_t> ids, bool all,
                             const std::function<void(std::span<const float>)>& fn) {
  check_ids(ids);
  Decoder& decoder = *impl_->decoder;
  decoder.truncate(0, 0);
  impl_->cached_ids[0].clear();
  const auto chunk = static_cast<size_t>(impl_->options.n_ubatch);
  for (size_t at = 0; at < ids.size(); at += chunk) {
    const size_t end = std::min(ids.size(), at + chunk);
    std::vector<Row> rows;
    for (size_t i = at; i < end; ++i) rows.push_back({ids[i], static_cast<int32_t>(i), 0});
    decoder.forward(rows);
    impl_->cached_ids[0].assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(end));
    for (size_t i = all ? at : ids.size() - 1; i < end; ++i) fn(decoder.logits(std::vector<int>{static_cast<int>(i - at)}));
  }
}

SamplerVocab Engine::sampler_vocab(bool ignore_eos, std::span<const std::string> breakers) const {
  SamplerVocab result;
  if (!impl_->tokenizer) return result;
  const Vocab& vocab = impl_->tokenizer->vocab();
  if (ignore_eos) result.banned.assign(vocab.end_of_generation().begin(), vocab.end_of_generation().end());
  for (int32_t id = 0; id < impl_->model.spec.n_vocab; ++id) {
    if (id >= vocab.size() || vocab.type(id) == TokenType::kUnused) result.banned.push_back(id);
  }
  if (breakers.empty()) return result;
  result.sequence_breaker.resize(static_cast<size_t>(vocab.size()));
  for (int32_t id = 0; id < vocab.size(); ++id) {
    for (const std::string& breaker : breakers) {
      if (vocab.bytes(id).find(breaker) != std::string_view::npos) result.sequence_breaker[static_cast<size_t>(id)] = true;
    }
  }
  return result;
}

}  // namespace glint
