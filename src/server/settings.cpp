// SPDX-License-Identifier: Apache-2.0
#include "server/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {
namespace {

constexpr size_t kMostStopStrings = 64;
constexpr size_t kMostSequenceBreakers = 64;
constexpr size_t kMostBiases = 4096;
constexpr float kLargestBias = 1000;
constexpr int kMostChoices = 128;

template <class T>
void read_setting(const Fields& fields, const char* name, std::optional<T>& field) {
  if constexpr (std::is_same_v<T, float>) {
    field = fields.number(name);
  } else if constexpr (std::is_same_v<T, int>) {
    field = fields.count(name, std::numeric_limits<int>::min() + 1);
  } else {
    field = fields.integer(name, std::numeric_limits<int64_t>::min() + 1, std::numeric_limits<int64_t>::max());
  }
}

float read_bias(const Json& value, const std::string& key) {
  if (value.is_boolean() && !value.get<bool>()) return -std::numeric_limits<float>::infinity();
  const double bias = value.is_number() ? value.get<double>() : std::nan("");
  if (!(std::abs(bias) <= kLargestBias)) {
    throw ApiError::invalid(fmt::format("logit_bias \"{}\": expected a number within +-{} or false", printable(key), kLargestBias));
  }
  return static_cast<float>(bias);
}

/// A key is a token id, in digits or as a number, or in pairs a text whose every token is meant.
void add_bias(SamplingParams& params, const Service& service, const Json& key, const Json& value, bool allow_text) {
  const std::string name = key.is_string() ? key.get<std::string>() : to_text(key);
  const float bias = read_bias(value, name);
  int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool is_id = error == std::errc() && end == name.data() + name.size();
  if (!is_id && allow_text && key.is_string()) {
    for (int32_t token : service.tokenizer().encode(name)) params.logit_bias.emplace_back(token, bias);
    return;
  }
  if (!is_id || id < 0 || id >= service.engine().model().spec.n_vocab) {
    throw ApiError::invalid(fmt::format("logit_bias \"{}\": expected a token id from 0 to {}", printable(name),
                                        service.engine().model().spec.n_vocab - 1));
  }
  params.logit_bias.emplace_back(id, bias);
}

void read_logit_bias(const Fields& fields, const Service& service, SamplingParams& params) {
  const Json* biases = fields.find("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > kMostBiases) throw ApiError::invalid(fmt::format("logit_bias: more than {} entries", kMostBiases));
  if (biases->is_object()) {
    for (const auto& [key, value] : biases->items()) add_bias(params, service, key, value, false);
  } else if (biases->is_array()) {
    for (const Json& pair : *biases) {
      if (!pair.is_array() || pair.size() != 2) fields.refuse("logit_bias", "pairs [id, bias]");
      add_bias(params, service, pair[0], pair[1], true);
    }
  } else {
    fields.refuse("logit_bias", "an object or an array of pairs");
  }
}

void read_samplers(const Fields& fields, SamplingParams& params) {
  const Json* samplers = fields.find("samplers");
  if (samplers == nullptr) return;
  if (samplers->is_string()) {
    const std::string text = samplers->get<std::string>();
    params.samplers = text.find(';') == std::string::npos ? parse_sampler_letters(text) : parse_samplers(text);
    return;
  }
  std::string names;
  for (const std::string& name : fields.strings("samplers")) names += (names.empty() ? "" : ";") + name;
  params.samplers = names.empty() ? std::vector<SamplerKind>{} : parse_samplers(names);
}

}  // namespace

SamplingParams read_sampling(const Fields& fields, const Service& service) {
  SamplingParams params;
  for_each_setting(params, [&](const char* name, const char*, auto& field) { read_setting(fields, name, field); });
  if (params.seed && *params.seed < 0) params.seed = -1;
  read_samplers(fields, params);
  if (fields.find("dry_sequence_breakers") != nullptr) {
    params.dry_sequence_breakers = fields.strings("dry_sequence_breakers");
    if (params.dry_sequence_breakers->size() > kMostSequenceBreakers) {
      throw ApiError::invalid(fmt::format("dry_sequence_breakers: more than {}", kMostSequenceBreakers));
    }
  }
  read_logit_bias(fields, service, params);
  return params;
}

GenerateOptions read_output(const Fields& fields, const Service& service, std::initializer_list<const char*> limits) {
  GenerateOptions output;
  output.n_predict = service.options().n_predict;
  std::optional<int> limit;
  for (const char* name : limits) {
    const bool may_be_endless = std::string_view(name) == "n_predict" || std::string_view(name) == "num_predict";
    const std::optional<int> value = fields.count(name, may_be_endless ? -2 : 1);
    if (value && *value >= 0) limit = std::min(*value, limit.value_or(*value));
    if (value && *value < 0 && !limit) output.n_predict = -1;
  }
  if (limit) output.n_predict = *limit;
  output.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  for (const char* name : {"stop", "stop_sequences"}) {
    for (std::string& text : fields.strings(name)) {
      if (!text.empty()) output.stop_strings.push_back(std::move(text));
    }
  }
  if (output.stop_strings.size() > kMostStopStrings) {
    throw ApiError::invalid(fmt::format("stop: {} texts, and {} is the most", output.stop_strings.size(), kMostStopStrings));
  }
  return output;
}

int read_n(const Fields& fields, const char* name) { return fields.count(name, 1, kMostChoices).value_or(1); }

int read_slot(const Fields& fields) { return fields.count("id_slot", -1).value_or(-1); }

Request read_request(const Fields& fields, const Service& service, std::initializer_list<const char*> limits) {
  Request request;
  request.sampling = resolve_sampling(read_sampling(fields, service), service.options().sampling,
                                      service.engine().file().metadata());
  request.output = read_output(fields, service, limits);
  return request;
}

Json describe_sampling(const ResolvedSampling& sampling) {
  Json settings = Json::object();
  for_each_setting(sampling.params, [&](const char* name, const char*, const auto& field) {
    settings[name] = Json::parse(fmt::format("{}", *field));  // 0.7, which as a float's double is 0.699999988079071
  });
  Json samplers = Json::array();
  for (SamplerKind kind : *sampling.params.samplers) samplers.push_back(sampler_name(kind));
  settings["samplers"] = std::move(samplers);
  settings["dry_sequence_breakers"] = *sampling.params.dry_sequence_breakers;
  return settings;
}

}  // namespace glint::server
