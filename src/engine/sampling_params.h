// SPDX-License-Identifier: Apache-2.0
//
// What can be set about choosing the next token, with llama.cpp's names, defaults and meanings, and how settings from
// different places combine: request over flag over the model file's general.sampling.* keys over the default. Where
// each value came from is kept, so that it can be shown. Tested by tests/unit/engine/sampling_params_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/metadata.h"

namespace glint {

enum class SamplerKind {
  kPenalties,
  kDry,
  kTopNSigma,
  kTopK,
  kTypicalP,
  kTopP,
  kMinP,
  kXtc,
  kTemperature,
};

/// "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"; throws Error naming the unknown part.
std::vector<SamplerKind> parse_samplers(std::string_view names);
/// The one-letter form, "edskypmxt"; throws Error naming the unknown letter.
std::vector<SamplerKind> parse_sampler_letters(std::string_view letters);
/// The name that parse_samplers knows it by.
std::string_view sampler_name(SamplerKind kind);

/// Every setting, each absent unless somebody set it.
struct SamplingParams {
  std::optional<float> temperature;     // <= 0: the largest logit, ties to the lowest id
  std::optional<float> dynatemp_range;  // 0: off; temperature varies by entropy within +- range
  std::optional<float> dynatemp_exponent;
  std::optional<int> top_k;              // <= 0: all
  std::optional<float> top_p;            // 1: off
  std::optional<float> min_p;            // 0: off
  std::optional<float> typical_p;        // 1: off (arXiv 2202.00666)
  std::optional<float> top_n_sigma;      // <= 0: off (arXiv 2411.07641)
  std::optional<float> xtc_probability;  // 0: off
  std::optional<float> xtc_threshold;    // > 0.5: off
  std::optional<int> repeat_last_n;      // tokens that penalties look at; 0: none, -1: all
  std::optional<float> repeat_penalty;   // 1: off (arXiv 1909.05858)
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::optional<float> dry_multiplier;  // 0: off
  std::optional<float> dry_base;
  std::optional<int> dry_allowed_length;
  std::optional<int> dry_penalty_last_n;  // 0: none, -1: all
  std::optional<int> mirostat;            // 0, 1 or 2 (arXiv 2007.14966); replaces the other cuts
  std::optional<float> mirostat_tau;
  std::optional<float> mirostat_eta;
  std::optional<int> min_keep;                       // no cut leaves fewer candidates
  std::optional<int64_t> seed;                       // -1: the caller draws one
  std::optional<std::vector<SamplerKind>> samplers;  // order of the chain
  std::optional<std::vector<std::string>> dry_sequence_breakers;
  std::vector<std::pair<int32_t, float>> logit_bias;  // added; -infinity bans
};

/// Calls fn(name, metadata key or "", field) for every scalar setting; the one list that defaults, metadata, display
/// and requests share.
template <class Params, class Fn>
void for_each_setting(Params& params, Fn&& fn) {
  fn("temperature", "temp", params.temperature);
  fn("dynatemp_range", "", params.dynatemp_range);
  fn("dynatemp_exponent", "", params.dynatemp_exponent);
  fn("top_k", "top_k", params.top_k);
  fn("top_p", "top_p", params.top_p);
  fn("min_p", "min_p", params.min_p);
  fn("typical_p", "typ_p", params.typical_p);
  fn("top_n_sigma", "", params.top_n_sigma);
  fn("xtc_probability", "xtc_probability", params.xtc_probability);
  fn("xtc_threshold", "xtc_threshold", params.xtc_threshold);
  fn("repeat_last_n", "penalty_last_n", params.repeat_last_n);
  fn("repeat_penalty", "penalty_repeat", params.repeat_penalty);
  fn("presence_penalty", "", params.presence_penalty);
  fn("frequency_penalty", "", params.frequency_penalty);
  fn("dry_multiplier", "", params.dry_multiplier);
  fn("dry_base", "", params.dry_base);
  fn("dry_allowed_length", "", params.dry_allowed_length);
  fn("dry_penalty_last_n", "", params.dry_penalty_last_n);
  fn("mirostat", "mirostat", params.mirostat);
  fn("mirostat_tau", "mirostat_tau", params.mirostat_tau);
  fn("mirostat_eta", "mirostat_eta", params.mirostat_eta);
  fn("min_keep", "", params.min_keep);
  fn("seed", "", params.seed);
}

enum class SettingOrigin { kDefault, kMetadata, kFlag, kRequest };
std::string_view origin_name(SettingOrigin origin);

/// Every setting with a value.
struct ResolvedSampling {
  SamplingParams params;  // all scalar fields, samplers and breakers are set
  std::map<std::string, SettingOrigin, std::less<>> origins;
};

/// The built-in defaults (llama.cpp's).
SamplingParams default_sampling();
/// What the file asks for; unusable values are Errors that name the key.
SamplingParams sampling_from_metadata(const gguf::Metadata& metadata);
/// Combines and checks ranges; throws Error naming the setting, its value and what is allowed.
ResolvedSampling resolve_sampling(const SamplingParams& request, const SamplingParams& flags,
                                  const gguf::Metadata& metadata);

}  // namespace glint
