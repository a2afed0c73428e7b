// SPDX-License-Identifier: Apache-2.0
//
// `glint chat`: a conversation in the terminal. Thinking is shown dimmed; Ctrl-C stops the answer, not the program; a
// status line tells speed and how much context is used. Tested by tests/integration/chat_test.py.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <memory>

#include "apps/commands.h"
#include "apps/generation_options.h"
#include "apps/line_editor.h"
#include "apps/model_options.h"
#include "apps/prompt.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "text/reply_parser.h"

namespace glint::app {
namespace {

using Json = nlohmann::ordered_json;

struct ChatOptions {
  ModelOptions model;
  GenerationOptions generation;
  PromptOptions prompt;
  std::string text;
};

constexpr const char* kHelp =
    "  /undo          take back your last message and its answer\n"
    "  /edit          change your last message and send it again\n"
    "  /retry         another answer to your last message\n"
    "  /system TEXT   set the system message\n"
    "  /clear         begin again\n"
    "  /save FILE     write the conversation as JSON\n"
    "  /tokens        how much of the context is used\n"
    "  /exit          leave (also Ctrl-D)\n"
    "Alt-Enter or a backslash at the end of a line begins a new line. Ctrl-C stops an answer.\n";

class Chat {
 public:
  Chat(const ChatOptions& options, Engine& engine)
      : options_(options),
        engine_(engine),
        template_(chat_template(options.prompt, engine.file())),
        variables_(template_variables(options.prompt, template_)),
        messages_(system_messages(options.prompt)),
        session_(engine) {}

  void loop() {
    if (!options_.text.empty()) {
      send(options_.prompt.escape ? unescape(options_.text) : options_.text);
      if (options_.prompt.single_turn) return;
    }
    std::string initial;
    while (true) {
      const LineEditor::Result line = editor_.read("> ", std::exchange(initial, {}));
      if (line.outcome == LineEditor::Outcome::kEnd) return;
      if (line.outcome == LineEditor::Outcome::kInterrupt) {
        inform("Ctrl-D or /exit leaves; /help lists commands");
        continue;
      }
      if (line.text.find_first_not_of(" \t\n") == std::string::npos) continue;
      editor_.add_history(line.text);
      if (line.text[0] != '/') {
        send(line.text);
        if (options_.prompt.single_turn) return;
      } else if (!command(line.text, initial)) {
        return;
      }
    }
  }

 private:
  /// Runs one /command; false: leave. `initial` becomes the text that the next read begins with.
  bool command(const std::string& text, std::string& initial) {
    const size_t space = text.find(' ');
    const std::string name = text.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : text.substr(text.find_first_not_of(' ', space) == std::string::npos
                                                                               ? text.size() : text.find_first_not_of(' ', space));
    if (name == "/exit" || name == "/quit" || name == "/bye") return false;
    if (name == "/help" || name == "/?") {
      fmt::print("{}", kHelp);
    } else if (name == "/undo") {
      inform("{}", take_back() ? "took back the last message" : "there is nothing to take back");
    } else if (name == "/edit") {
      if (std::optional<std::string> last = take_back()) initial = *last;
    } else if (name == "/retry") {
      if (std::optional<std::string> last = take_back()) send(*last);
    } else if (name == "/clear") {
      messages_ = system_messages(options_.prompt);
    } else if (name == "/system") {
      std::erase_if(messages_.get_ref<Json::array_t&>(), [](const Json& message) { return message["role"] == "system"; });
      if (!rest.empty()) messages_.insert(messages_.begin(), Json{{"role", "system"}, {"content", rest}});
    } else if (name == "/save") {
      save(rest);
    } else if (name == "/tokens") {
      inform("{} of {} tokens of context are used", session_.ids().size(), engine_.n_ctx());
    } else {
      inform("unknown command {}; /help lists them. To send it as text, begin with a blank.", name);
    }
    return true;
  }

  /// Removes the last user message and what followed; returns its text.
  std::optional<std::string> take_back() {
    for (size_t i = messages_.size(); i-- > 0;) {
      if (messages_[i]["role"] != "user") continue;
      std::string text = messages_[i]["content"];
      messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(i), messages_.end());
      return text;
    }
    return std::nullopt;
  }

  void save(const std::string& path) {
    if (path.empty()) {
      inform("/save FILE: a file name is needed");
      return;
    }
    std::ofstream file(path);
    file << messages_.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    file.close();
    if (file) {
      inform("{}: {} messages", path, messages_.size());
    } else {
      warn("{}: cannot be written", path);
    }
  }

  void send(const std::string& text) {
    messages_.push_back({{"role", "user"}, {"content", text}});
    try {
      answer();
    } catch (const Error& error) {
      // Nothing is lost: the message can be taken back, edited or sent again.
      warn("{} (/edit changes your message, /clear begins again)", error.what());
    }
  }

  void answer() {
    ChatIds prompt = render_ids(template_, engine_.tokenizer(), messages_, variables_);
    Sampler sampler = make_sampler(options_.generation, engine_);
    for (int32_t id : prompt.ids) sampler.accept(id);
    CatchInterrupt interrupt;
    ProgressBar bar("reading");
    if (!session_.sync(prompt.ids, [&](int done, int total) { bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total)); },
                       &interrupt.flag())) {
      inform("stopped while reading");
      return;
    }
    const GenerateOptions generate = make_generate_options(options_.generation, engine_, prompt.format, prompt.thinking);
    // What a grammar wrote is content, whatever it looks like.
    if (generate.constraint) prompt.format.thinking_anywhere = false;
    ReplyParser parser(prompt.format, {.inside_thinking = prompt.thinking == ThinkingStart::kInside});
    std::string thinking, content;
    const auto show = [&](const ReplyDelta& delta) {
      if (!delta.reasoning.empty()) fmt::print("{}", dimmed(delta.reasoning));
      if (content.empty() && !delta.content.empty() && !thinking.empty()) fmt::print("\n");
      if (!delta.content.empty()) fmt::print("{}", delta.content);
      std::fflush(stdout);
      thinking += delta.reasoning;
      content += delta.content;
    };
    const GenerateResult result = session_.generate(
        sampler, generate, [&](const Piece& piece) {
          show(parser.push(piece.text));
          return true;
        }, &interrupt.flag());
    show(parser.finish());
    fmt::print("\n");
    Json message = {{"role", "assistant"}, {"content", content}};
    if (!thinking.empty()) message["reasoning_content"] = thinking;
    messages_.push_back(std::move(message));
    const Timings& timings = session_.timings();
    const double rate = timings.predicted_seconds > 0 ? timings.n_predicted / timings.predicted_seconds : 0;
    inform("[{} tokens, {:.1f} tok/s, context {} / {}{}]", timings.n_predicted, rate, session_.ids().size(), engine_.n_ctx(),
           result.reason == FinishReason::kContextFull ? ", full: /clear or /undo" : "");
  }

  const ChatOptions& options_;
  Engine& engine_;
  ChatTemplate template_;
  Json variables_;
  Json messages_;
  Session session_;
  LineEditor editor_;
};

}  // namespace

void add_chat_command(CLI::App& app) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "Talk to a model in the terminal");
  command->footer(
      "Examples:\n"
      "  glint chat                                            with the embedded demo model\n"
      "  glint chat -m GLM-4.7-Flash-Q4_K_M.gguf -c 16384\n"
      "  glint chat -m model.gguf -sys \"Answer in French.\"\n"
      "  echo \"What is 2 + 2?\" | glint chat -m model.gguf --reasoning off\n");
  add_model_options(*command, options->model, false);
  command->add_option("-p,--prompt", options->text, "a first message")->type_name("TEXT");
  add_prompt_options(*command, options->prompt);
  add_generation_options(*command, options->generation);
  command->callback([options] {
    Engine engine = open_engine(open_model_file(options->model), to_engine_options(options->model, /*exact=*/false));
    Chat(*options, engine).loop();
  });
}

}  // namespace glint::app
