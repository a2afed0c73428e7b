// SPDX-License-Identifier: Apache-2.0
//
// The public C++ API of glint: open a model, hold sessions, generate. Apps see this, engine/session.h, engine/sampler.h
// and text/, the server also engine/batch_engine.h; nothing about tensors leaks through.
//
//   Engine engine = Engine::open("model.gguf", {});
//   Session session(engine);
//   session.sync(engine.tokenizer().encode("Once", {}));
//   session.generate(params, [](const Piece& piece) { std::cout << piece.text; return true; });
//
// Threads: one thread at a time may use an Engine and its sessions; tokenizer() is safe anywhere.
// Tested by tests/unit/engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/engine_options.h"
#include "engine/out_of_memory.h"
#include "engine/sampler.h"
#include "gguf/file.h"
#include "model/decoder.h"
#include "model/load.h"
#include "text/tokenizer.h"

namespace glint {

class Engine {
 public:
  /// Takes over the file. Throws Error when the file is not a model that glint runs, and OutOfMemory, before it reads
  /// weights, when they and the cache do not fit, naming what would. Afterwards nothing allocates.
  static Engine open(gguf::File file, const EngineOptions& options);
  Engine(Engine&&) noexcept;
  ~Engine();

  const gguf::File& file() const;
  const LoadedModel& model() const;  // spec and findings
  bool has_vocabulary() const;
  const Tokenizer& tokenizer() const;    // throws Error when the file has no vocabulary
  const EngineOptions& options() const;  // as really chosen
  const MemoryPlan& plan() const;        // what was taken of the memory that was free
  MachineLimits machine_limits();        // may measure, for up to a second
  int n_ctx() const;
  Decoder& decoder();
  /// The ids whose rows the cache holds for a sequence. Whoever feeds or cuts the decoder keeps this true; it lives
  /// here because several sessions may take turns on one sequence. Throws Error for a sequence that does not exist.
  std::vector<int32_t>& cached_ids(int sequence);

  /// Throws Error naming the first id outside the vocabulary.
  void check_ids(std::span<const int32_t> ids) const;
  /// Logits [n_vocab] after every id, or after the last alone, in order; replaces what sequence 0 holds.
  void for_each_logits(std::span<const int32_t> ids, bool all, const std::function<void(std::span<const float>)>& fn);
  /// What the sampler must know of the vocabulary: ids that stand for nothing, with ignore_eos also those that end a
  /// generation, and the tokens that contain one of `breakers`.
  SamplerVocab sampler_vocab(bool ignore_eos, std::span<const std::string> breakers) const;

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace glint
