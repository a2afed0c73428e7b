// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "engine/placement.h"
#include "model/arch/arch.h"

namespace glint {
namespace {

Finding no_end_of_text() {
  return {FindingLevel::kWarning, "no token of the vocabulary ends an answer: each runs to its limit or the end of the context",
          "--override-kv tokenizer.ggml.eos_token_id=int:ID"};
}

}  // namespace

struct Engine::Impl {
  Impl(gguf::File opened, const EngineOptions& requested) : file(std::move(opened)) {
    std::vector<Finding> findings;
    Placement placed = place_model(file, read_spec(file, findings), requested);
    backend = std::move(placed.backend);
    host = std::move(placed.host);
    options = std::move(placed.options);
    plan = std::move(placed.plan);
    if (file.metadata().contains("tokenizer.ggml.model")) tokenizer.emplace(vocab_from_gguf(file.metadata()));
    if (options.on_plan) options.on_plan(plan);
    model = load_model(file, *backend,
                       {.progress = options.on_load, .host = host.get(), .ffn_on_host = plan.decoder.ffn_on_host});
    if (tokenizer && tokenizer->vocab().end_of_generation().empty()) model.findings.push_back(no_end_of_text());
    decoder.emplace(model, *backend, plan.decoder, host.get());
    decoder->warm_up();
    cached_ids.resize(static_cast<size_t>(options.n_sequences));
  }

  gguf::File file;
  EngineOptions options;
  MemoryPlan plan;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Backend> host;  // null unless experts stay in host memory
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

const gguf::File& Engine::file() const {
  return impl_->file;
}
const LoadedModel& Engine::model() const {
  return impl_->model;
}
const EngineOptions& Engine::options() const {
  return impl_->options;
}
const MemoryPlan& Engine::plan() const {
  return impl_->plan;
}
MachineLimits Engine::machine_limits() {
  return impl_->backend->limits();
}
int Engine::n_ctx() const {
  return impl_->options.n_ctx;
}
Decoder& Engine::decoder() {
  return *impl_->decoder;
}

std::vector<int32_t>& Engine::cached_ids(int sequence) {
  if (sequence < 0 || sequence >= impl_->options.n_sequences) {
    fail("sequence {} does not exist; the engine was opened for {}", sequence, impl_->options.n_sequences);
  }
  return impl_->cached_ids[static_cast<size_t>(sequence)];
}

bool Engine::has_vocabulary() const {
  return impl_->tokenizer.has_value();
}

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
    for (size_t i = all ? at : ids.size() - 1; i < end; ++i)
      fn(decoder.logits(std::vector<int>{static_cast<int>(i - at)}));
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
      if (vocab.bytes(id).find(breaker) != std::string_view::npos)
        result.sequence_breaker[static_cast<size_t>(id)] = true;
    }
  }
  return result;
}

}  // namespace glint
