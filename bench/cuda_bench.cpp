// SPDX-License-Identifier: Apache-2.0
//
// A quick look at the CUDA backend's speed while kernels are being written: one prompt and one generation at given
// depths. `glint bench` is the tool for figures that are published. Usage: cuda_bench FILE N_UBATCH TEST...
// with TEST = ppN[@DEPTH] or tgN[@DEPTH].
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "cuda/cuda_backend.h"
#include "gguf/file.h"
#include "model/decoder.h"
#include "model/load.h"

namespace {

using namespace glint;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Run {
 public:
  Run(Decoder& decoder, int n_ubatch) : decoder_(decoder), n_ubatch_(n_ubatch), random_(1) {}

  void prompt(int from, int count) {
    for (int at = 0; at < count; at += n_ubatch_) {
      std::vector<Row> rows;
      for (int i = at; i < std::min(count, at + n_ubatch_); ++i) rows.push_back({id(), from + i, 0});
      decoder_.forward(rows);
    }
    decoder_.logits(std::vector<int>{(count - 1) % n_ubatch_});
  }
  void generate(int from, int count) {
    for (int i = 0; i < count; ++i) {
      decoder_.forward(std::vector<Row>{{id(), from + i, 0}});
      decoder_.logits(std::vector<int>{0});
    }
  }

 private:
  int32_t id() { return static_cast<int32_t>(random_() % static_cast<uint32_t>(decoder_.spec().n_vocab)); }
  Decoder& decoder_;
  int n_ubatch_;
  std::mt19937 random_;
};

}  // namespace

int main(int argc, char** argv) {
  const int n_ubatch = std::atoi(argv[2]);
  struct Test {
    std::string name;
    bool generate;
    int n, depth;
  };
  std::vector<Test> tests;
  int n_ctx = 0;
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    const size_t at = text.find('@');
    tests.push_back({text, text[0] == 't', std::atoi(text.c_str() + 2),
                     at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 1)});
    n_ctx = std::max(n_ctx, tests.back().n + tests.back().depth + 64);
  }
  const auto backend = make_cuda_backend({.device = 0, .generic_only = std::getenv("GENERIC") != nullptr});
  const gguf::File file = gguf::File::open(argv[1]);
  const auto start = Clock::now();
  const LoadedModel model = load_model(file, *backend);
  Decoder decoder(model, *backend, {.n_ctx = n_ctx, .n_sequences = 1, .max_tokens = n_ubatch, .kv = {}});
  Run run(decoder, n_ubatch);
  run.prompt(0, 1);
  std::printf("loaded in %.2f s\n", seconds_since(start));
  for (const Test& test : tests) {
    if (test.depth > 0) run.prompt(0, test.depth);
    std::vector<double> times;
    for (int repetition = 0; repetition < 4; ++repetition) {
      decoder.truncate(0, test.depth);
      const auto begin = Clock::now();
      test.generate ? run.generate(test.depth, test.n) : run.prompt(test.depth, test.n);
      times.push_back(seconds_since(begin));
    }
    std::sort(times.begin() + 1, times.end());
    std::printf("%-16s %10.1f tok/s  (first %.1f)\n", test.name.c_str(), test.n / times[2], test.n / times[0]);
    std::fflush(stdout);
    decoder.truncate(0, 0);
  }
  return 0;
}
