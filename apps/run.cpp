// SPDX-License-Identifier: Apache-2.0
//
// `glint run`: one completion. The answer alone goes to stdout; everything else to stderr. Without -m the embedded demo
// model runs, and without a prompt it shows what it can.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/commands.h"
#include "apps/generation_options.h"
#include "apps/model_options.h"
#include "apps/prompt.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "engine/engine.h"

namespace glint::app {
namespace {

struct RunOptions {
  ModelOptions model;
  GenerationOptions generation;
  PromptOptions prompt;
  std::string text;
  std::string file;
  std::string ids;
  bool print_ids = false;
  bool json_timings = false;
};

constexpr const char* kDemoPrompt = "Once upon a time";
constexpr int kDemoTokens = 400;  // a story ends by itself before that

ChatIds prompt_ids(const RunOptions& options, const Engine& engine, const std::string& text) {
  if (!options.ids.empty()) return {.ids = parse_ids(options.ids), .format = {}};
  if (options.prompt.is_chat()) {
    const ChatTemplate chat = chat_template(options.prompt, engine.file());
    nlohmann::ordered_json messages = system_messages(options.prompt);
    messages.push_back({{"role", "user"}, {"content", text}});
    return render_ids(chat, engine.tokenizer(), messages, template_variables(options.prompt, chat));
  }
  return {.ids = engine.tokenizer().encode(text, {.add_special = true, .parse_special = true, .single_bos = true, .literal = {}}),
          .format = {}};
}

void print_timings(const Timings& timings) {
  const auto rate = [](int n, double seconds) { return seconds > 0 ? n / seconds : 0.0; };
  fmt::print(stderr,
             "{{\"cache_n\":{},\"prompt_n\":{},\"prompt_ms\":{:.3f},\"prompt_per_second\":{:.3f},\"predicted_n\":{},"
             "\"predicted_ms\":{:.3f},\"predicted_per_second\":{:.3f}}}\n",
             timings.n_cached, timings.n_prompt, timings.prompt_seconds * 1e3, rate(timings.n_prompt, timings.prompt_seconds),
             timings.n_predicted, timings.predicted_seconds * 1e3, rate(timings.n_predicted, timings.predicted_seconds));
}

/// A context that was not asked for is made as long as the run can need.
int context_for(const RunOptions& options, size_t n_prompt) {
  if (options.model.n_ctx > 0 || options.generation.n_predict < 0) return options.model.n_ctx;
  return std::max<int>(kPageTokens, static_cast<int>(n_prompt) + options.generation.n_predict);
}

void run(RunOptions& options, bool has_text) {
  if (static_cast<int>(has_text) + !options.file.empty() + !options.ids.empty() > 1) {
    fail("run: give one of -p TEXT, -f FILE and --ids IDS");
  }
  const bool demo = options.model.model.empty() && !has_text && options.file.empty() && options.ids.empty();
  std::string text = demo ? kDemoPrompt : has_text ? options.text : options.file.empty() ? "" : read_text_file(options.file);
  if (has_text && options.prompt.escape) text = unescape(text);
  if (demo && options.generation.n_predict < 0) options.generation.n_predict = kDemoTokens;

  EngineOptions engine_options = to_engine_options(options.model, /*exact=*/!options.ids.empty());
  gguf::File file = open_model_file(options.model);
  // The ids are needed to choose a context and the vocabulary to make them, so the file is read twice at most.
  if (!options.ids.empty()) {
    engine_options.n_ctx = context_for(options, parse_ids(options.ids).size());
  } else if (options.model.n_ctx == 0 && options.generation.n_predict >= 0) {
    // No tokenizer gives more tokens than bytes plus what a template adds.
    const int64_t train = file.metadata().integer_or(
        std::string(file.metadata().string("general.architecture")) + ".context_length", 1 << 20);
    engine_options.n_ctx = static_cast<int>(std::min<int64_t>(
        std::max<int64_t>(train, kPageTokens), static_cast<int64_t>(text.size()) + 8192 + options.generation.n_predict));
  }
  Engine engine = open_engine(std::move(file), engine_options);
  const ChatIds prompt = prompt_ids(options, engine, text);
  const std::vector<int32_t>& ids = prompt.ids;
  const GenerateOptions generate = make_generate_options(options.generation, engine, prompt.format, prompt.thinking);
  Sampler sampler = make_sampler(options.generation, engine, /*ban=*/!options.print_ids);
  for (int32_t id : ids) sampler.accept(id);

  CatchInterrupt interrupt;
  Session session(engine);
  ProgressBar bar("reading the prompt");
  if (!session.sync(ids, [&](int done, int total) { bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total)); },
                    &interrupt.flag())) {
    fail("cancelled while reading the prompt");
  }
  if (demo) fmt::print("{}", dimmed(text));
  std::fflush(stdout);
  const GenerateResult result = session.generate(
      sampler, generate, [&](const Piece& piece) {
        if (options.print_ids || piece.text.empty()) return true;
        std::fwrite(piece.text.data(), 1, piece.text.size(), stdout);
        return std::fflush(stdout) == 0;
      }, &interrupt.flag());
  if (options.print_ids) {
    fmt::print("{}\n", print_ids(result.ids));
  } else if (!result.text.ends_with('\n')) {
    fmt::print("\n");
  }
  if (sampler.saw_non_finite()) warn("the model produced logits that are no finite numbers; they were never chosen");
  if (result.reason == FinishReason::kContextFull) inform("stopped: the context of {} tokens is full (-c)", engine.n_ctx());
  inform("{}, {} threads, seed {}", describe(session.timings()), engine.options().n_threads, sampler.seed());
  if (options.json_timings) print_timings(session.timings());
}

}  // namespace

void add_run_command(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Complete a prompt");
  command->footer(
      "Examples:\n"
      "  glint run                                             the embedded demo model\n"
      "  glint run -m model.gguf -p \"Once upon a time\" -n 100\n"
      "  glint run -m model.gguf -f prompt.txt -n 200 --temp 0 > answer.txt\n"
      "  glint run -m model.gguf -st -sys \"Be brief.\" -p \"What is MLA?\"    one turn through the chat template\n"
      "  glint run -m model.gguf --ids 1,2,3 -n 8 --temp 0 --ignore-eos --print-ids\n");
  add_model_options(*command, options->model, false);
  auto* text = command->add_option("-p,--prompt", options->text, "the prompt")->type_name("TEXT");
  command->add_option("-f,--file", options->file, "the prompt in a file; - for stdin")->type_name("FILE");
  command->add_option("--ids", options->ids, "the prompt as token ids (the cache is then f32 unless -ctk is given)")->type_name("IDS");
  add_prompt_options(*command, options->prompt);
  add_generation_options(*command, options->generation);
  command->add_flag("--print-ids", options->print_ids, "print the generated ids as a JSON array; nothing is banned");
  command->add_flag("--json-timings", options->json_timings, "print timings as JSON on stderr, last");
  command->callback([options, text] { run(*options, text->count() > 0); });
}

}  // namespace glint::app
