// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling_params.h"

#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/check.h"

namespace glint {
namespace {

struct SamplerName {
  SamplerKind kind;
  char letter;
  std::string_view name;
  std::string_view other_name;
};

constexpr std::array<SamplerName, 9> kSamplers = {{
    {SamplerKind::kPenalties, 'e', "penalties", "penalties"},
    {SamplerKind::kDry, 'd', "dry", "dry"},
    {SamplerKind::kTopNSigma, 's', "top_n_sigma", "top-n-sigma"},
    {SamplerKind::kTopK, 'k', "top_k", "top-k"},
    {SamplerKind::kTypicalP, 'y', "typ_p", "typical_p"},
    {SamplerKind::kTopP, 'p', "top_p", "top-p"},
    {SamplerKind::kMinP, 'm', "min_p", "min-p"},
    {SamplerKind::kXtc, 'x', "xtc", "xtc"},
    {SamplerKind::kTemperature, 't', "temperature", "temp"},
}};

constexpr std::string_view kDefaultOrder = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";

struct Range {
  std::string_view name;
  double low;
  double high;
};
constexpr double kAny = std::numeric_limits<double>::infinity();
constexpr std::array<Range, 17> kRanges = {{
    {"temperature", -kAny, 1e6},
    {"dynatemp_range", 0, 1e6},
    {"top_p", 0, 1},
    {"min_p", 0, 1},
    {"typical_p", 0, 1},
    {"xtc_probability", 0, 1},
    {"xtc_threshold", 0, kAny},
    {"repeat_last_n", -1, kAny},
    {"repeat_penalty", 1e-6, 1e6},
    {"presence_penalty", -1e6, 1e6},
    {"frequency_penalty", -1e6, 1e6},
    {"dry_multiplier", 0, 1e6},
    {"dry_penalty_last_n", -1, kAny},
    {"mirostat", 0, 2},
    {"mirostat_tau", 0, 1e6},
    {"mirostat_eta", 0, 1e6},
    {"min_keep", 0, kAny},
}};

void check_ranges(const SamplingParams& params) {
  for_each_setting(params, [](std::string_view name, std::string_view, const auto& field) {
    const auto value = static_cast<double>(*field);
    for (const Range& range : kRanges) {
      if (range.name != name) continue;
      if (!(value >= range.low && value <= range.high))
        fail("{} is {}; allowed is {} to {}", name, value, range.low, range.high);
    }
    if (std::isnan(value)) fail("{} is not a number", name);
  });
}

/// Puts what `from` sets over `into` and remembers the origin.
void overlay(const SamplingParams& from, SettingOrigin origin, ResolvedSampling& into) {
  // Both visits go through the fields in the same order, so the n-th call of one meets the n-th of the other.
  std::vector<std::optional<long double>> values;
  for_each_setting(from, [&](std::string_view, std::string_view, const auto& field) {
    values.push_back(field ? std::optional<long double>(static_cast<long double>(*field)) : std::nullopt);
  });
  size_t at = 0;
  for_each_setting(into.params, [&](std::string_view name, std::string_view, auto& field) {
    const std::optional<long double>& value = values[at++];
    if (!value) return;
    using Field = typename std::remove_reference_t<decltype(field)>::value_type;
    field = static_cast<Field>(*value);
    into.origins[std::string(name)] = origin;
  });
  if (from.samplers) {
    into.params.samplers = from.samplers;
    into.origins["samplers"] = origin;
  }
  if (from.dry_sequence_breakers) into.params.dry_sequence_breakers = from.dry_sequence_breakers;
  into.params.logit_bias.insert(into.params.logit_bias.end(), from.logit_bias.begin(), from.logit_bias.end());
}

}  // namespace

std::vector<SamplerKind> parse_samplers(std::string_view names) {
  std::vector<SamplerKind> order;
  while (!names.empty()) {
    const size_t end = std::min(names.find(';'), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    if (name.empty()) continue;
    const SamplerName* found = nullptr;
    for (const SamplerName& sampler : kSamplers) {
      if (sampler.name == name || sampler.other_name == name) found = &sampler;
    }
    if (found == nullptr) fail("samplers: \"{}\" is unknown; known are {}", name, kDefaultOrder);
    order.push_back(found->kind);
  }
  return order;
}

std::vector<SamplerKind> parse_sampler_letters(std::string_view letters) {
  std::vector<SamplerKind> order;
  for (char letter : letters) {
    const SamplerName* found = nullptr;
    for (const SamplerName& sampler : kSamplers) {
      if (sampler.letter == letter) found = &sampler;
    }
    if (found == nullptr) fail("sampling-seq: '{}' is unknown; known letters are edskypmxt", letter);
    order.push_back(found->kind);
  }
  return order;
}

std::string_view sampler_name(SamplerKind kind) {
  for (const SamplerName& sampler : kSamplers) {
    if (sampler.kind == kind) return sampler.name;
  }
  return "unknown";
}

std::string_view origin_name(SettingOrigin origin) {
  switch (origin) {
    case SettingOrigin::kDefault:
      return "default";
    case SettingOrigin::kMetadata:
      return "model file";
    case SettingOrigin::kFlag:
      return "flag";
    case SettingOrigin::kRequest:
      return "request";
  }
  return "";
}

SamplingParams default_sampling() {
  SamplingParams params;
  params.temperature = 0.8f;
  params.dynatemp_range = 0.0f;
  params.dynatemp_exponent = 1.0f;
  params.top_k = 40;
  params.top_p = 0.95f;
  params.min_p = 0.05f;
  params.typical_p = 1.0f;
  params.top_n_sigma = -1.0f;
  params.xtc_probability = 0.0f;
  params.xtc_threshold = 0.1f;
  params.repeat_last_n = 64;
  params.repeat_penalty = 1.0f;
  params.presence_penalty = 0.0f;
  params.frequency_penalty = 0.0f;
  params.dry_multiplier = 0.0f;
  params.dry_base = 1.75f;
  params.dry_allowed_length = 2;
  params.dry_penalty_last_n = -1;
  params.mirostat = 0;
  params.mirostat_tau = 5.0f;
  params.mirostat_eta = 0.1f;
  params.min_keep = 0;
  params.seed = -1;
  params.samplers = parse_samplers(kDefaultOrder);
  params.dry_sequence_breakers = std::vector<std::string>{"\n", ":", "\"", "*"};
  return params;
}

SamplingParams sampling_from_metadata(const gguf::Metadata& metadata) {
  SamplingParams params;
  for_each_setting(params, [&](std::string_view, std::string_view key, auto& field) {
    if (key.empty()) return;
    const std::string full = "general.sampling." + std::string(key);
    if (!metadata.contains(full)) return;
    using Field = typename std::remove_reference_t<decltype(field)>::value_type;
    if constexpr (std::is_floating_point_v<Field>) {
      field = static_cast<Field>(metadata.number(full));
    } else {
      field = static_cast<Field>(metadata.integer(full));
    }
  });
  if (metadata.contains("general.sampling.sequence")) {
    params.samplers = parse_samplers(metadata.string("general.sampling.sequence"));
  }
  return params;
}

ResolvedSampling resolve_sampling(const SamplingParams& request, const SamplingParams& flags,
                                  const gguf::Metadata& metadata) {
  ResolvedSampling resolved;
  overlay(default_sampling(), SettingOrigin::kDefault, resolved);
  overlay(sampling_from_metadata(metadata), SettingOrigin::kMetadata, resolved);
  overlay(flags, SettingOrigin::kFlag, resolved);
  overlay(request, SettingOrigin::kRequest, resolved);
  check_ranges(resolved.params);
  return resolved;
}

}  // namespace glint
