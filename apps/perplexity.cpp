// SPDX-License-Identifier: Apache-2.0
//
// `glint perplexity`: how well a model predicts a text, as llama-perplexity measures it; how its predictions differ
// from a run that was stored (--kl-divergence) or from those of a second engine in this process (--against), which may
// decide the exit status. Results on stdout, progress on stderr. Tested by tests/integration/perplexity_test.py.
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <random>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/perplexity_report.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "engine/perplexity.h"
#include "model/arch/arch.h"
#include "text/vocab.h"

namespace glint::app {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  int n_random = 0;
  uint64_t seed = 1;
  ChunkOptions chunks;
  std::string base_file;
  bool kl_divergence = false;
  std::string against, against_k, against_v;
  double max_kl = -1;
  double min_top1 = -1;
  bool json = false;

  bool has_second_engine() const { return !against.empty() || !against_k.empty() || !against_v.empty(); }
  bool compares() const { return kl_divergence || has_second_engine(); }
};

void check(const PerplexityOptions& o) {
  if (o.kl_divergence && o.base_file.empty())
    fail("--kl-divergence: name the stored run with --kl-divergence-base FILE");
  if (o.has_second_engine() && !o.base_file.empty()) {
    fail("--against computes its base itself: give it or --kl-divergence-base, not both");
  }
  if (o.chunks.stride > 0 && !o.base_file.empty()) fail("--ppl-stride: files of --kl-divergence-base have none");
  if ((o.max_kl >= 0 || o.min_top1 >= 0) && !o.compares()) {
    fail("--max-kl and --min-top1 need something to compare with: --kl-divergence or --against");
  }
  if (o.kl_divergence) {
    if (!o.file.empty() || o.n_random > 0)
      fail("--kl-divergence: the text is the base file's; leave out -f and --random-ids");
  } else if (o.file.empty() == (o.n_random == 0)) {
    fail("give a text with -f FILE (- for stdin), or --random-ids N for a model whose vocabulary means nothing");
  }
}

/// Ids that are the same for one seed on every machine.
std::vector<int32_t> random_ids(int n, uint64_t seed, int n_vocab) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint64_t>(n_vocab));
  return ids;
}

/// The text as chunks, made before weights are read: what is wrong with it shows at once.
ChunkedText chunked_text(const PerplexityOptions& o, const gguf::File& file, const std::optional<LogitsFile>& base) {
  std::vector<Finding> findings;
  const int n_vocab = read_spec(file, findings).n_vocab;
  std::optional<Tokenizer> tokenizer;
  if (file.metadata().contains("tokenizer.ggml.model")) tokenizer.emplace(vocab_from_gguf(file.metadata()));
  std::optional<int32_t> bos;
  if (tokenizer && tokenizer->vocab().add_bos()) bos = tokenizer->vocab().special().bos;
  ChunkOptions options = o.chunks;
  std::vector<int32_t> ids;
  if (base) {
    if (base->shape().n_vocab != n_vocab) {
      fail("{}: made with a vocabulary of {}, and {} has {}: not the same family of models", o.base_file,
           base->shape().n_vocab, file.name(), n_vocab);
    }
    options.n_ctx = base->shape().n_ctx;
    ids = base->tokens();
  } else if (o.n_random > 0) {
    ids = random_ids(o.n_random, o.seed, n_vocab);
  } else {
    if (!tokenizer) fail("{}: the file has no vocabulary; --random-ids N measures without a text", file.name());
    std::string text = read_text_file(o.file);
    // As llama-perplexity reads a file.
    if (text.ends_with('\n')) text.pop_back();
    ids = tokenizer->encode(text, {.add_special = true});
  }
  return ChunkedText(std::move(ids), options, bos);
}

/// The base of --against: this run's model on another device, with another cache, or both.
EngineOptions second_engine_options(const PerplexityOptions& o, const EngineOptions& tested, int n_ctx) {
  ModelOptions options = o.model;
  const bool on_ref = o.against.empty() ? tested.backend == "ref" : o.against == "ref";
  options.backend = on_ref ? "ref" : "auto";
  options.gpu_layers.clear();
  if (on_ref) {
    options.device.clear();
  } else if (!o.against.empty()) {
    options.device = o.against == "cpu" ? "none" : o.against;
  } else {
    options.device = tested.backend == "cuda" ? fmt::format("CUDA{}", tested.card) : "none";
  }
  if (!o.against_k.empty()) options.cache_type_k = o.against_k;
  if (!o.against_v.empty()) options.cache_type_v = o.against_v;
  options.n_ctx = n_ctx;
  return to_engine_options(options, /*exact=*/false);
}

std::string describe_engine(const Engine& engine) {
  const EngineOptions& options = engine.options();
  const std::string place = options.backend == "cuda" ? fmt::format("CUDA{}", options.card) : options.backend;
  return fmt::format("{} with a cache of {}/{}", place, traits(options.k_dtype).name, traits(options.v_dtype).name);
}

std::string format_duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

/// What is seen on stderr while chunks are computed, and Ctrl-C.
class ChunkProgress {
 public:
  /// `shares_line`: what is printed between chunks stands on one line of the terminal, where no bar may follow it.
  ChunkProgress(int n_chunks, bool shares_line) : n_chunks_(n_chunks), shares_line_(shares_line) {
    bar_.emplace("chunks");
  }

  void update(int done, int total) {
    if (interrupt_.flag()) fail("cancelled");
    if (bar_) bar_->update(static_cast<uint64_t>(n_done_) * total + done, static_cast<uint64_t>(n_chunks_) * total);
  }
  void finish_chunk() {
    if (bar_) bar_->erase();
    if (++n_done_ > 1 || n_chunks_ == 1) return;
    const double seconds = now_seconds() - started_;
    inform("{} chunks of {:.2f} s, {} left", n_chunks_, seconds, format_duration(seconds * (n_chunks_ - 1)));
    if (shares_line_) bar_.reset();
  }

 private:
  int n_chunks_;
  bool shares_line_;
  int n_done_ = 0;
  double started_ = now_seconds();
  CatchInterrupt interrupt_;
  std::optional<ProgressBar> bar_;
};

void measure(const PerplexityOptions& o, Engine& engine, const ChunkedText& text) {
  ChunkProgress progress(text.size(), !o.json && stdout_is_terminal());
  PerplexityRun run(engine, [&](int done, int total) { progress.update(done, total); });
  std::optional<LogitsFileWriter> file;
  if (!o.base_file.empty()) {
    const LogitsFileShape shape{text.tokens_of_chunk(), engine.model().spec.n_vocab, text.size()};
    file.emplace(o.base_file, shape, text.ids());
  }
  std::vector<double> nll;
  for (int i = 0; i < text.size(); ++i) {
    run.score(text[i], nll, file ? &*file : nullptr);
    progress.finish_chunk();
    if (!o.json) print_running(i + 1, nll);
  }
  if (file) file->finish();
  if (!o.json) return print_perplexity(nll);
  nlohmann::ordered_json result = {{"n_ctx", text.tokens_of_chunk()}, {"chunks", text.size()}};
  result.update(perplexity_json(nll));
  fmt::print("{}\n", result.dump(2));
}

/// What the exit status says: why the comparison is not good enough; empty when it is.
std::string shortcoming(const PerplexityOptions& o, const DivergenceSamples& divergence) {
  const double kl = mean_of(divergence.kl).value;
  const double top1 = 100 * divergence.same_top().value;
  // Turned round, so that what is no number does not pass.
  if (o.max_kl >= 0 && !(kl <= o.max_kl))
    return fmt::format("mean KL divergence {:.9f} is above --max-kl {}", kl, o.max_kl);
  if (o.min_top1 >= 0 && !(top1 >= o.min_top1)) {
    return fmt::format("same top-1 in {:.3f} % of positions is below --min-top1 {}", top1, o.min_top1);
  }
  return "";
}

/// `compare_chunk` adds a chunk to the divergence.
void compare_all(const PerplexityOptions& o, Engine& engine, const ChunkedText& text,
                 const std::function<void(PerplexityRun&, int chunk, DivergenceSamples&)>& compare_chunk) {
  DivergenceSamples divergence;
  {
    ChunkProgress progress(text.size(), false);
    PerplexityRun run(engine, [&](int done, int total) { progress.update(done, total); });
    for (int i = 0; i < text.size(); ++i) {
      compare_chunk(run, i, divergence);
      progress.finish_chunk();
      if (o.json) continue;
      if (i == 0) print_divergence_head();
      print_divergence_row(i + 1, divergence);
    }
  }
  const std::string why_not = shortcoming(o, divergence);
  if (o.json) {
    nlohmann::ordered_json result = {{"n_ctx", text.tokens_of_chunk()}, {"chunks", text.size()}};
    result.update(divergence_json(divergence));
    result["passed"] = why_not.empty();
    fmt::print("{}\n", result.dump(2));
  } else {
    print_divergence(divergence);
  }
  if (!why_not.empty()) fail("{}", why_not);
}

void perplexity(PerplexityOptions& o) {
  check(o);
  o.chunks.n_ctx = o.model.n_ctx;
  std::optional<LogitsFile> base;
  if (o.kl_divergence) base.emplace(LogitsFile::open(o.base_file));
  gguf::File file = open_model_file(o.model);
  const ChunkedText text = chunked_text(o, file, base);
  EngineOptions options = to_engine_options(o.model, /*exact=*/false);
  options.n_ctx = text.tokens_of_chunk();
  Engine engine = open_engine(std::move(file), options);
  inform("{} chunks of {} tokens, {} positions of each are scored", text.size(), text.tokens_of_chunk(),
         text[0].n_scored());
  if (base) {
    compare_all(o, engine, text, [&](PerplexityRun& run, int i, DivergenceSamples& divergence) {
      run.compare_with(*base, i, text[i], divergence);
    });
  } else if (o.has_second_engine()) {
    Engine second =
        open_engine(open_model_file(o.model), second_engine_options(o, engine.options(), text.tokens_of_chunk()));
    inform("Q is {}, base is {}", describe_engine(engine), describe_engine(second));
    compare_all(o, engine, text, [&](PerplexityRun& run, int i, DivergenceSamples& divergence) {
      run.compare_with(second, text[i], divergence);
    });
  } else {
    measure(o, engine, text);
  }
}

}  // namespace

void add_perplexity_command(CLI::App& app) {
  auto o = std::make_shared<PerplexityOptions>();
  o->model.n_ctx = ChunkOptions().n_ctx;
  CLI::App* command = app.add_subcommand("perplexity", "How well a model predicts a text, and how backends differ");
  command->footer(
      "Chunks of -c tokens (512 unless set) are computed with an empty cache; the second half of each is scored.\n"
      "Examples:\n"
      "  glint perplexity -m model.gguf -f wiki.test.raw\n"
      "  glint perplexity -m f16.gguf -f wiki.test.raw --kl-divergence-base f16.kld        stores its probabilities\n"
      "  glint perplexity -m q4_k_m.gguf --kl-divergence-base f16.kld --kl-divergence      compares with them\n"
      "  glint perplexity -m model.gguf -f text.txt -dev CUDA0 --against cpu --max-kl 1e-3 --min-top1 99.5\n"
      "  glint perplexity -m model.gguf -f text.txt -ctk q8_0 -ctv q8_0 --against-ctk f16 --against-ctv f16\n");
  add_model_options(*command, o->model, false);
  command->get_option("--ctx-size")
      ->description("tokens of a chunk; --kl-divergence takes the stored run's (default 512)");
  command->add_option("-f,--file", o->file, "the text; - for stdin")->type_name("FILE");
  command->add_option("--random-ids", o->n_random, "instead of a text so many random ids")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_option("-s,--seed", o->seed, "of --random-ids")->type_name("N")->capture_default_str();
  command->add_option("--chunks", o->chunks.n_chunks, "at most so many chunks; -1: all")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--ppl-stride", o->chunks.stride,
                   "chunks of -c and half of this begin every N tokens, and their last N are scored")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--kl-divergence-base,--save-all-logits", o->base_file,
                   "alone: stores all probabilities there, for llama-perplexity too")
      ->type_name("FILE");
  command->add_flag("--kl-divergence", o->kl_divergence, "compares with that file, on its text");
  const char* group = "Against a second engine";
  command
      ->add_option("--against", o->against,
                   "the same model on cpu, ref (slow and exact) or a card, like CUDA0: the base")
      ->type_name("DEVICE")
      ->group(group);
  const auto cache_types = CLI::IsMember({"f32", "f16", "bf16", "q8_0"}, CLI::ignore_case);
  command
      ->add_option("--against-ctk", o->against_k,
                   "the base's cached keys (default: this run's -ctk; where neither is set f16, on ref f32)")
      ->check(cache_types)
      ->group(group);
  command->add_option("--against-ctv", o->against_v, "its cached values, likewise")->check(cache_types)->group(group);
  command->add_option("--max-kl", o->max_kl, "exit status 1 where the mean KL divergence, in nats, is above this")
      ->type_name("X")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  command->add_option("--min-top1", o->min_top1, "exit status 1 where fewer percent of positions have the same top-1")
      ->type_name("PERCENT")
      ->check(CLI::Range(0.0, 100.0))
      ->group(group);
  command->add_flag("--json", o->json, "print one JSON object");
  command->callback([o] { perplexity(*o); });
}

}  // namespace glint::app
