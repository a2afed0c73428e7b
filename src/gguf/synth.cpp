// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth.h"

#include <algorithm>
#include <span>
#include <thread>
#include <type_traits>
#include <variant>

#include "base/check.h"
#include "base/file_map.h"
#include "base/printable.h"
#include "gguf/synth/mix.h"
#include "gguf/synth/models.h"
#include "gguf/synth/random_weights.h"
#include "gguf/synth/vocabulary.h"

namespace glint::gguf {

namespace {

constexpr int kMaxLayers = 1000;
constexpr size_t kVocabularyStep = 64;  // converters' models round their vocabulary up to it

const KnownModel& find_model(std::string_view name) {
  std::string names;
  for (const KnownModel& model : known_models()) {
    if (model.name == name) return model;
    names += fmt::format(" {}", model.name);
  }
  fail("model \"{}\" is unknown; expected one of{}", printable(name), names);
}

Vocabulary make_vocabulary(const KnownModel& model, const std::string& tokenizer_path) {
  const TokenizerFacts& facts = model.tokenizer;
  if (tokenizer_path.empty()) {
    return facts.model == "gpt2" ? byte_level_vocabulary(facts.special, model.first_special, model.n_vocab)
                                 : sentencepiece_vocabulary(facts.special, model.n_vocab);
  }
  if (facts.model != "gpt2") {
    fail("{}: {} has a SentencePiece vocabulary; a tokenizer.json of byte-level BPE does not fit", tokenizer_path,
         model.name);
  }
  Vocabulary vocabulary = read_tokenizer_json(tokenizer_path);
  const size_t rounded = (vocabulary.tokens.size() + kVocabularyStep - 1) / kVocabularyStep * kVocabularyStep;
  vocabulary.pad(std::max(model.n_vocab, rounded));
  return vocabulary;
}

void add_key(Writer& writer, std::string_view name, const KeyValue& value) {
  std::visit(
      [&](const auto& typed) {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, uint32_t>) writer.add_uint32(name, typed);
        if constexpr (std::is_same_v<T, float>) writer.add_float32(name, typed);
        if constexpr (std::is_same_v<T, bool>) writer.add_bool(name, typed);
        if constexpr (std::is_same_v<T, std::string>) writer.add_string(name, typed);
        if constexpr (std::is_same_v<T, std::vector<std::string>>) writer.add_strings(name, typed);
      },
      value);
}

void add_tokenizer(Writer& writer, const TokenizerFacts& facts, const Vocabulary& vocabulary) {
  writer.add_string("tokenizer.ggml.model", facts.model);
  writer.add_string("tokenizer.ggml.pre", facts.pre);
  writer.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
  if (!vocabulary.scores.empty()) writer.add_float32s("tokenizer.ggml.scores", vocabulary.scores);
  writer.add_int32s("tokenizer.ggml.token_type", vocabulary.types);
  if (!vocabulary.merges.empty()) writer.add_strings("tokenizer.ggml.merges", vocabulary.merges);
  for (const auto& [role, token] : facts.roles) {
    if (const auto id = vocabulary.find(token)) writer.add_uint32(fmt::format("tokenizer.ggml.{}", role), *id);
  }
  for (const auto& [flag, value] : facts.flags) writer.add_bool(fmt::format("tokenizer.ggml.{}", flag), value);
}

// FNV-1a: a tensor's data depends on its name and the seed only, not on what else is in the file.
uint64_t tensor_seed(std::string_view name, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325u ^ seed;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

Writer::Fill random_data(const PlannedTensor& tensor, uint64_t seed, int threads) {
  return random_weights({.dtype = tensor.dtype,
                         .n_bytes = tensor.n_bytes,
                         .deviation = tensor.sketch.deviation,
                         .mean = tensor.sketch.mean,
                         .seed = tensor_seed(tensor.sketch.name, seed),
                         .threads = threads});
}

void add_tensors(Writer& writer, const ModelSketch& model, const Mix& mix, const SynthOptions& options) {
  const int threads = options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  for (const PlannedTensor& tensor : plan_tensors(mix, model)) {
    const TensorSketch& sketch = tensor.sketch;
    if (sketch.values.empty()) {
      writer.add_tensor(sketch.name, tensor.dtype, sketch.dims, random_data(tensor, options.seed, threads));
    } else {
      const auto bytes = std::as_bytes(std::span(sketch.values));
      writer.add_tensor(sketch.name, tensor.dtype, sketch.dims, std::vector(bytes.begin(), bytes.end()));
    }
  }
}

}  // namespace

void synthesize(const SynthOptions& options, Writer& writer) {
  synthesize(find_model(options.model), options, writer);
}

void synthesize(const KnownModel& known, const SynthOptions& options, Writer& writer) {
  const Mix mix = find_mix(options.type);
  if (options.layers < 0 || options.layers > kMaxLayers) {
    fail("layers is {}, expected 0 (all) to {}", options.layers, kMaxLayers);
  }
  const Vocabulary vocabulary = make_vocabulary(known, options.tokenizer);
  const ModelSketch model = known.sketch(options.layers > 0 ? options.layers : known.n_layers,
                                         static_cast<int64_t>(vocabulary.tokens.size()));
  writer.add_string("general.architecture", model.architecture());
  writer.add_string("general.type", "model");
  for (const auto& [name, value] : model.keys()) add_key(writer, name, value);
  add_tokenizer(writer, known.tokenizer, vocabulary);
  if (!options.chat_template.empty()) {
    writer.add_string("tokenizer.chat_template", FileMap::open(options.chat_template).text());
  }
  writer.add_uint32("general.quantization_version", 2);
  writer.add_uint32("general.file_type", mix.file_type);
  add_tensors(writer, model, mix, options);
}

std::vector<SynthName> synth_models() {
  std::vector<SynthName> names;
  for (const KnownModel& model : known_models()) names.push_back({model.name, model.description});
  return names;
}

std::vector<SynthName> synth_types() {
  std::vector<SynthName> names;
  for (const Mix& mix : named_mixes()) names.push_back({mix.name, mix.description});
  for (const DTypeTraits& format : all_dtypes()) {
    const bool named =
        std::ranges::any_of(named_mixes(), [&](const Mix& mix) { return dtype_from_name(mix.name) == format.dtype; });
    if (format.is_weight && !named) names.push_back({format.name, "every matrix in this format"});
  }
  return names;
}

}  // namespace glint::gguf
