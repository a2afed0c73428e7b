// SPDX-License-Identifier: Apache-2.0
#include "apps/generation_options.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "apps/model_options.h"
#include "base/check.h"
#include "engine/constraint.h"

namespace glint::app {
namespace {

template <class T>
void add(CLI::App& command, const std::string& names, std::optional<T>& field, const std::string& description) {
  command.add_option_function<T>(names, [&field](const T& value) { field = value; }, description)
      ->type_name("N")
      ->group("Sampling");
}

/// llama.cpp's form: "ID+BIAS" or "ID-BIAS"; "-inf" bans.
std::pair<int32_t, float> parse_bias(const std::string& text) {
  const size_t sign = text.find_first_of("+-");
  int32_t id = -1;
  if (sign != std::string::npos && sign > 0) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + sign, id);
    if (error == std::errc() && end == text.data() + sign) {
      if (text.substr(sign) == "-inf") return {id, -std::numeric_limits<float>::infinity()};
      try {
        size_t used = 0;
        const float bias = std::stof(text.substr(sign), &used);
        if (used == text.size() - sign) return {id, bias};
      } catch (const std::exception&) {
      }
    }
  }
  fail("--logit-bias \"{}\": expected ID+BIAS or ID-BIAS, like 15043+1 or 15043-inf", text);
}

/// Null when no flag asks for one.
std::shared_ptr<const Constraint> constraint_of(const GenerationOptions& options, const Engine& engine,
                                                const ReplyFormat& format, ThinkingStart thinking) {
  const std::string* texts[] = {&options.grammar, &options.grammar_file, &options.json_schema, &options.json_schema_file};
  const auto n_given = std::ranges::count_if(texts, [](const std::string* text) { return !text->empty(); });
  if (n_given == 0) return nullptr;
  if (n_given > 1) fail("give one of --grammar, --grammar-file, --json-schema and --json-schema-file");
  ConstraintSpec spec;
  spec.thinking = thinking;
  if (!options.grammar.empty() || !options.grammar_file.empty()) {
    spec.kind = ConstraintSpec::Kind::kGbnf;
    spec.text = options.grammar_file.empty() ? options.grammar : read_text_file(options.grammar_file);
  } else {
    spec.text = options.json_schema_file.empty() ? options.json_schema : read_text_file(options.json_schema_file);
  }
  return ConstraintCompiler(engine.tokenizer().vocab(), engine.model().spec.n_vocab, format).compile(spec);
}

}  // namespace

void add_generation_options(CLI::App& command, GenerationOptions& options) {
  SamplingParams& s = options.sampling;
  command.add_option("-n,--n-predict", options.n_predict, "tokens to generate; -1: until the model ends or the context is full")
      ->type_name("N")
      ->envname("LLAMA_ARG_N_PREDICT")
      ->check(CLI::Range(-2, std::numeric_limits<int>::max()));
  command.add_option("-s,--seed", options.seed, "of the random choices; -1: a new one each time")->type_name("N")->group("Sampling");
  add(command, "--temp,--temperature", s.temperature, "temperature; 0: always the best (default 0.8)");
  add(command, "--top-k", s.top_k, "only the k best; 0: all (default 40)");
  add(command, "--top-p", s.top_p, "only the best that together reach p; 1: all (default 0.95)");
  add(command, "--min-p", s.min_p, "only those with at least p times the best's probability (default 0.05)");
  add(command, "--typical,--typical-p", s.typical_p, "locally typical sampling; 1: off");
  add(command, "--top-nsigma,--top-n-sigma", s.top_n_sigma, "only logits within n deviations of the best; -1: off");
  add(command, "--xtc-probability", s.xtc_probability, "chance that the top choices are dropped; 0: off");
  add(command, "--xtc-threshold", s.xtc_threshold, "what counts as a top choice");
  add(command, "--repeat-last-n", s.repeat_last_n, "tokens that penalties look at; 0: none, -1: all (default 64)");
  add(command, "--repeat-penalty", s.repeat_penalty, "divides logits of seen tokens; 1: off");
  add(command, "--presence-penalty", s.presence_penalty, "subtracted from logits of seen tokens");
  add(command, "--frequency-penalty", s.frequency_penalty, "the same, times how often");
  add(command, "--dry-multiplier", s.dry_multiplier, "penalty on lengthening repetitions; 0: off");
  add(command, "--dry-base", s.dry_base, "growth of that penalty by length");
  add(command, "--dry-allowed-length", s.dry_allowed_length, "repetitions up to this length are free");
  add(command, "--dry-penalty-last-n", s.dry_penalty_last_n, "tokens it looks at; -1: all");
  add(command, "--dynatemp-range", s.dynatemp_range, "temperature varies by this with entropy; 0: off");
  add(command, "--dynatemp-exp", s.dynatemp_exponent, "exponent of that");
  add(command, "--mirostat", s.mirostat, "1 or 2: keep surprise constant; 0: off");
  add(command, "--mirostat-lr", s.mirostat_eta, "its learning rate");
  add(command, "--mirostat-ent", s.mirostat_tau, "its target surprise in bits");
  add(command, "--min-keep", s.min_keep, "no cut leaves fewer candidates");
  command.add_option_function<std::vector<std::string>>(
      "--dry-sequence-breaker", [&s](const std::vector<std::string>& texts) {
        s.dry_sequence_breakers = texts == std::vector<std::string>{"none"} ? std::vector<std::string>{} : texts;
      }, "text that ends a repetition; repeatable; none: no such text")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->expected(1)->type_name("TEXT")->group("Sampling");
  command.add_option_function<std::string>(
      "--samplers", [&s](const std::string& names) { s.samplers = parse_samplers(names); },
      "order, as penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature")->type_name("NAMES")->group("Sampling");
  command.add_option_function<std::string>(
      "--sampling-seq,--sampler-seq", [&s](const std::string& letters) { s.samplers = parse_sampler_letters(letters); },
      "the same in letters: edskypmxt")->type_name("LETTERS")->group("Sampling");
  command.add_option("--logit-bias", options.logit_bias, "-l: ID+BIAS or ID-BIAS, -inf bans; repeatable")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->expected(1)->type_name("TEXT")->group("Sampling");
  const char* group = "Structured output";
  command.add_option("--grammar", options.grammar, "output must be a text of this grammar (GBNF)")->type_name("GBNF")->group(group);
  command.add_option("--grammar-file", options.grammar_file, "the same in a file")->type_name("FILE")->group(group);
  command.add_option("-j,--json-schema", options.json_schema, "output must be JSON of this schema; {} is any JSON")
      ->type_name("SCHEMA")->group(group);
  command.add_option("--json-schema-file", options.json_schema_file, "-jf: the same in a file")->type_name("FILE")->group(group);
  command.add_option("--reasoning-budget", options.reasoning_budget, "tokens of thinking after which it is closed; -1: no limit")
      ->type_name("N")->check(CLI::Range(-1, std::numeric_limits<int>::max()));
  command.add_flag("--ignore-eos", options.ignore_eos, "never end before -n");
  command.add_flag("--special", options.special, "-sp: show control tokens' text");
  command.add_option("-r,--reverse-prompt", options.stop_strings, "stop at this text; repeatable")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->expected(1)->type_name("TEXT");
}

SamplingParams sampling_flags(const GenerationOptions& options) {
  SamplingParams flags = options.sampling;
  if (options.seed >= 0) flags.seed = options.seed;
  for (const std::string& text : options.logit_bias) flags.logit_bias.push_back(parse_bias(text));
  return flags;
}

Sampler make_sampler(const GenerationOptions& options, const Engine& engine, bool ban) {
  ResolvedSampling resolved = resolve_sampling({}, sampling_flags(options), engine.file().metadata());
  for (const auto& [id, bias] : resolved.params.logit_bias) engine.check_ids(std::span(&id, 1));
  SamplerVocab vocab;
  if (ban) vocab = engine.sampler_vocab(options.ignore_eos, *resolved.params.dry_multiplier > 0
                                                                ? *resolved.params.dry_sequence_breakers
                                                                : std::vector<std::string>{});
  return Sampler(std::move(resolved), std::move(vocab));
}

GenerateOptions make_generate_options(const GenerationOptions& options, const Engine& engine, const ReplyFormat& format,
                                      ThinkingStart thinking) {
  GenerateOptions made{.n_predict = options.n_predict,
                       .ignore_eos = options.ignore_eos,
                       .show_special = options.special,
                       .shown_ids = {},
                       .stop_strings = options.stop_strings,
                       .constraint = constraint_of(options, engine, format, thinking),
                       .thinking_budget = {}};
  if (!engine.has_vocabulary()) return made;
  const Tokenizer& tokenizer = engine.tokenizer();
  made.shown_ids = shown_marker_ids(format, tokenizer.vocab());
  if (options.reasoning_budget < 0 || thinking == ThinkingStart::kNone) return made;
  made.thinking_budget = {.n_tokens = options.reasoning_budget,
                          .end_ids = tokenizer.encode(format.thinking.close, {.parse_special = true}),
                          .tags = format.thinking,
                          .inside = thinking == ThinkingStart::kInside};
  return made;
}

std::string describe(const Timings& timings) {
  const auto rate = [](int n, double seconds) { return seconds > 0 ? n / seconds : 0.0; };
  std::string text = fmt::format("prompt {} tokens at {:.1f} tok/s", timings.n_prompt, rate(timings.n_prompt, timings.prompt_seconds));
  if (timings.n_cached > 0) text += fmt::format(" ({} more were cached)", timings.n_cached);
  return text + fmt::format(", generated {} at {:.1f} tok/s", timings.n_predicted, rate(timings.n_predicted, timings.predicted_seconds));
}

std::string unescape(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      result += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'n': result += '\n'; break;
      case 'r': result += '\r'; break;
      case 't': result += '\t'; break;
      case '\'': result += '\''; break;
      case '"': result += '"'; break;
      case '\\': result += '\\'; break;
      case 'x': {
        unsigned value = 0;
        const char* first = text.data() + i + 1;
        const auto [end, error] = std::from_chars(first, std::min(first + 2, text.data() + text.size()), value, 16);
        if (error == std::errc()) {
          result += static_cast<char>(value);
          i += static_cast<size_t>(end - first);
        } else {
          result += "\\x";
        }
        break;
      }
      default:
        result += '\\';
        result += text[i];
    }
  }
  return result;
}

}  // namespace glint::app
