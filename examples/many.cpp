// SPDX-License-Identifier: Apache-2.0
//
// many MODEL PROMPT...: answers all prompts at once, sharing what they begin with, and prints each when it is complete.
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch_engine.h"

namespace {

glint::Request ask(const glint::Engine& engine, const std::string& prompt) {
  glint::Request request;
  request.ids = engine.tokenizer().encode(prompt, {.add_special = true, .literal = {}});
  glint::SamplingParams params;
  params.temperature = 0.7f;
  params.seed = 1;
  request.sampling = glint::resolve_sampling(params, {}, engine.file().metadata());
  request.output.n_predict = 40;
  return request;
}

void answer_all(const std::string& model, const std::vector<std::string>& prompts) {
  glint::EngineOptions options;
  options.backend = "auto";
  options.n_ctx = 1024;
  options.n_sequences = 8;
  glint::BatchEngine engine(glint::Engine::open(glint::gguf::File::open(model), options), {});
  std::vector<std::unique_ptr<glint::Stream>> streams;
  for (const std::string& prompt : prompts) streams.push_back(engine.submit(ask(engine.engine(), prompt)));
  for (size_t i = 0; i < prompts.size(); ++i) {
    std::string text = prompts[i];
    int n_cached = 0;
    while (std::optional<glint::Event> event = streams[i]->next()) {
      text += event->text;
      if (event->finish) n_cached = event->finish->cache.n_cached;
    }
    std::printf("%s\n(%d tokens of the prompt were there already)\n\n", text.c_str(), n_cached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: many MODEL PROMPT...\n");
    return 2;
  }
  try {
    answer_all(argv[1], std::vector<std::string>(argv + 2, argv + argc));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
