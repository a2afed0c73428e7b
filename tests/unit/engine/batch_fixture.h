// SPDX-License-Identifier: Apache-2.0
//
// What tests of the BatchEngine share: models, requests, and the answer that a request gets when it is alone.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/batch_engine.h"
#include "engine/session.h"
#include "tests/unit/model/golden.h"

namespace glint::batch {

using Ids = std::vector<int32_t>;

/// "demo", "smollm2" or a golden model.
inline std::string path_of(const std::string& model) {
  const std::string root = std::string(GLINT_TEST_DATA) + "/../..";
  if (model == "demo") return root + "/models/glint-demo.gguf";
  if (model == "smollm2") return root + "/.cache/smollm2.gguf";
  return golden::folder() + "/" + model + ".gguf";
}
inline bool has(const std::string& model) {
  return std::filesystem::exists(path_of(model));
}

inline Engine open(const std::string& model, int n_ctx, int n_sequences, int n_ubatch = 128) {
  EngineOptions options;
  options.n_threads = 2;
  options.n_ctx = n_ctx;
  options.n_sequences = n_sequences;
  options.n_ubatch = n_ubatch;
  return Engine::open(gguf::File::open(path_of(model)), options);
}

inline Request request_of(Ids ids, int n_predict, int64_t seed = 1, float temperature = 1) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = 0;  // wide open, so that a difference of one draw or one bit shows
  params.top_p = 1.0f;
  params.min_p = 0.0f;
  params.seed = seed;
  Request request;
  request.ids = std::move(ids);
  request.sampling = resolve_sampling(params, {}, gguf::Metadata());
  request.output.n_predict = n_predict;
  return request;
}

/// One completion as its events tell it.
struct Told {
  Ids ids;
  std::string text;
  std::vector<double> logprobs;  // of each token, then its alternatives'
  std::optional<Finish> finish;

  void add(const Event& event) {
    if (event.id >= 0) ids.push_back(event.id);
    text += event.text;
    if (event.logprobs) {
      logprobs.push_back(event.logprobs->chosen);
      for (const TokenLogProbability& other : event.logprobs->top) logprobs.push_back(other.log_probability);
    }
    if (event.finish) finish = event.finish;
  }
};

inline std::vector<Told> read_all(Stream& stream, int n = 1) {
  std::vector<Told> told(static_cast<size_t>(n));
  while (std::optional<Event> event = stream.next()) told[static_cast<size_t>(event->completion)].add(*event);
  return told;
}

/// What a Session with nothing else to do answers.
inline GenerateResult alone(Engine& engine, const Request& request, int completion = 0) {
  Session session(engine);
  ResolvedSampling sampling = request.sampling;
  *sampling.params.seed += completion;
  Sampler sampler(sampling, engine.sampler_vocab(request.output.ignore_eos, {}));
  for (int32_t id : request.ids) sampler.accept(id);
  engine.decoder().truncate(0, 0);
  engine.cached_ids(0).clear();
  session.sync(request.ids);
  return session.generate(sampler, request.output);
}

}  // namespace glint::batch
