// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <unordered_map>

#include "base/check.h"

namespace glint {
namespace {

uint64_t system_random() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) & 0x7fffffffffffffffULL;
}

/// The last n of history; n < 0: all.
std::span<const int32_t> last(std::span<const int32_t> history, int n) {
  if (n < 0 || static_cast<size_t>(n) >= history.size()) return history;
  return history.last(static_cast<size_t>(n));
}

}  // namespace

double CounterRandom::uniform() {
  uint64_t z = seed_ + 0x9E3779B97F4A7C15ULL * ++counter_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

Sampler::Sampler(ResolvedSampling sampling, SamplerVocab vocab)
    : sampling_(std::move(sampling)),
      vocab_(std::move(vocab)),
      seed_(*sampling_.params.seed < 0 ? system_random() : static_cast<uint64_t>(*sampling_.params.seed)),
      random_(seed_),
      mirostat_mu_(2 * *sampling_.params.mirostat_tau) {
  for (int32_t id : vocab_.banned) {
    GLINT_CHECK(id >= 0);
    if (banned_.size() <= static_cast<size_t>(id)) banned_.resize(static_cast<size_t>(id) + 1);
    banned_[static_cast<size_t>(id)] = true;
  }
  for (const auto& [id, bias] : sampling_.params.logit_bias) {
    if (id < 0) fail("logit_bias: {} is not a token id", id);
    if (bias_.size() <= static_cast<size_t>(id)) bias_.resize(static_cast<size_t>(id) + 1);
    bias_[static_cast<size_t>(id)] += bias;
  }
}

bool Sampler::has_penalties() const {
  const SamplingParams& p = sampling_.params;
  return *p.repeat_last_n != 0 && !history_.empty() &&
         (*p.repeat_penalty != 1 || *p.presence_penalty != 0 || *p.frequency_penalty != 0);
}

bool Sampler::has_dry() const {
  return *sampling_.params.dry_multiplier != 0 && *sampling_.params.dry_base >= 1;
}

/// How many of the largest logits can matter because the first thing done is to cut to them; 0: all may.
int Sampler::first_cut() const {
  const SamplingParams& p = sampling_.params;
  if (*p.temperature <= 0) return has_penalties() || has_dry() ? 0 : 1;
  if (*p.mirostat != 0) return 0;
  for (SamplerKind kind : *p.samplers) {
    if (kind == SamplerKind::kTopK && *p.top_k > 0) return std::max(*p.top_k, *p.min_keep);
    const bool does_nothing =
        (kind == SamplerKind::kPenalties && !has_penalties()) || (kind == SamplerKind::kDry && !has_dry()) ||
        (kind == SamplerKind::kTopNSigma && *p.top_n_sigma <= 0) || (kind == SamplerKind::kTopK && *p.top_k <= 0);
    if (!does_nothing) return 0;
  }
  return 0;
}

/// What may be chosen, with its bias. Where only the k largest can matter, those, in descending order, in one pass that
/// looks closer only at what beats the k-th so far: a vocabulary has 150,000 ids and k is mostly 40.
std::vector<Candidate> Sampler::collect(std::span<const float> logits, std::span<const uint64_t> allowed) {
  const auto k = static_cast<size_t>(first_cut());
  const bool is_cut = k > 0 && k < logits.size();
  const auto larger = [](const Candidate& a, const Candidate& b) { return Candidates::before(a, b); };
  std::vector<Candidate> items;  // when cut, a heap with the smallest on top once there are k
  items.reserve(is_cut ? k + 1 : logits.size());
  float limit = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = logits[i] + (i < bias_.size() ? bias_[i] : 0.0f);
    if (logit <= limit && std::isfinite(logits[i])) continue;  // of equals the lower id came first
    if (!allowed.empty() && (allowed[i / 64] >> (i % 64) & 1) == 0) continue;
    if (!std::isfinite(logits[i])) {
      saw_non_finite_ = true;
      continue;
    }
    if (!std::isfinite(logit) || (i < banned_.size() && banned_[i])) continue;
    items.push_back({static_cast<int32_t>(i), logit});
    if (!is_cut || items.size() < k) continue;
    if (items.size() == k) {
      std::make_heap(items.begin(), items.end(), larger);
    } else {
      std::push_heap(items.begin(), items.end(), larger);
      std::pop_heap(items.begin(), items.end(), larger);
      items.pop_back();
    }
    limit = items.front().logit;
  }
  if (is_cut && items.size() == k) std::sort_heap(items.begin(), items.end(), larger);
  return items;
}

void Sampler::accept(int32_t id) {
  history_.push_back(id);
}

void Sampler::apply_penalties(Candidates& candidates) const {
  const SamplingParams& p = sampling_.params;
  if (!has_penalties()) return;
  const std::span<const int32_t> recent = last(history_, *p.repeat_last_n);
  std::unordered_map<int32_t, int> counts;
  for (int32_t id : recent) ++counts[id];
  for (Candidate& candidate : candidates.items()) {
    const auto found = counts.find(candidate.id);
    if (found == counts.end()) continue;
    // Dividing a negative logit would raise it.
    candidate.logit = candidate.logit <= 0 ? candidate.logit * *p.repeat_penalty : candidate.logit / *p.repeat_penalty;
    candidate.logit -= static_cast<float>(found->second) * *p.frequency_penalty + *p.presence_penalty;
  }
  candidates.touch();
}

/// "Don't repeat yourself": a token that would lengthen a repetition of n >= allowed tokens loses
/// multiplier * base^(n - allowed). The repetitions' lengths come from one backward pass (the Z function of the
/// reversed history), so the cost is linear.
void Sampler::apply_dry(Candidates& candidates) const {
  const SamplingParams& p = sampling_.params;
  if (!has_dry()) return;
  const std::span<const int32_t> recent = last(history_, *p.dry_penalty_last_n);
  // The suffix that may repeat ends at the nearest sequence breaker.
  size_t limit = 0;
  while (limit < recent.size()) {
    const auto id = static_cast<size_t>(recent[recent.size() - 1 - limit]);
    if (id < vocab_.sequence_breaker.size() && vocab_.sequence_breaker[id]) break;
    ++limit;
  }
  if (limit < static_cast<size_t>(std::max(1, *p.dry_allowed_length))) return;
  const size_t n = recent.size();
  const auto reversed = [&](size_t i) { return recent[n - 1 - i]; };
  std::vector<size_t> match(n, 0);  // match[i]: length of the common prefix of reversed and reversed[i..]
  for (size_t i = 1, left = 0, right = 0; i < n; ++i) {
    if (i < right) match[i] = std::min(right - i, match[i - left]);
    while (i + match[i] < n && reversed(match[i]) == reversed(i + match[i])) ++match[i];
    if (i + match[i] > right) {
      left = i;
      right = i + match[i];
    }
  }
  std::unordered_map<int32_t, size_t> longest;  // what followed each earlier occurrence -> the repetition's length
  for (size_t i = 1; i < n; ++i) {
    const size_t length = std::min(match[i], limit);
    if (length >= static_cast<size_t>(*p.dry_allowed_length) && length > 0) {
      size_t& longest_of = longest[reversed(i - 1)];
      longest_of = std::max(longest_of, length);
    }
  }
  for (Candidate& candidate : candidates.items()) {
    const auto found = longest.find(candidate.id);
    if (found == longest.end()) continue;
    const double exponent = std::min<double>(static_cast<double>(found->second) - *p.dry_allowed_length, 128);
    candidate.logit -= static_cast<float>(std::min(1e30, *p.dry_multiplier * std::pow(*p.dry_base, exponent)));
  }
  candidates.touch();
}

void Sampler::apply(SamplerKind kind, Candidates& candidates) {
  const SamplingParams& p = sampling_.params;
  const auto min_keep = static_cast<size_t>(*p.min_keep);
  switch (kind) {
    case SamplerKind::kPenalties:
      apply_penalties(candidates);
      break;
    case SamplerKind::kDry:
      apply_dry(candidates);
      break;
    case SamplerKind::kTopNSigma:
      candidates.keep_top_n_sigma(*p.top_n_sigma);
      break;
    case SamplerKind::kTopK:
      candidates.keep_top_k(*p.top_k, min_keep);
      break;
    case SamplerKind::kTypicalP:
      candidates.keep_typical(*p.typical_p, min_keep);
      break;
    case SamplerKind::kTopP:
      candidates.keep_top_p(*p.top_p, min_keep);
      break;
    case SamplerKind::kMinP:
      candidates.keep_min_p(*p.min_p, min_keep);
      break;
    case SamplerKind::kXtc:
      if (*p.xtc_probability > 0 && random_.uniform() < *p.xtc_probability) {
        candidates.drop_top_choices(*p.xtc_threshold, min_keep);
      }
      break;
    case SamplerKind::kTemperature:
      if (*p.dynatemp_range > 0) {
        candidates.divide_by_entropy(*p.temperature, *p.dynatemp_range, *p.dynatemp_exponent);
      } else {
        candidates.divide(*p.temperature);
      }
      break;
  }
}

int32_t Sampler::draw(Candidates& candidates) {
  return candidates.pick(random_.uniform()).id;
}

/// Mirostat keeps the surprise of choices near tau. Version 1 estimates Zipf's exponent from the 100 best and keeps as
/// many as that asks for; version 2 drops what is more surprising than mu.
int32_t Sampler::draw_mirostat(Candidates& candidates) {
  const SamplingParams& p = sampling_.params;
  candidates.divide(*p.temperature);
  candidates.sort_all();
  std::vector<double> probability = candidates.probabilities();
  if (*p.mirostat == 1) {
    double numerator = 0, denominator = 0;
    const size_t m = std::min<size_t>(100, candidates.size());
    for (size_t i = 0; i + 1 < m && probability[i + 1] > 0; ++i) {
      const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
      numerator += t * std::log(probability[i] / probability[i + 1]);
      denominator += t * t;
    }
    const double s = denominator > 0 ? numerator / denominator : 1;
    const double epsilon = s - 1;
    const auto n = static_cast<double>(candidates.size());
    const double k = std::pow(epsilon * std::pow(2.0, mirostat_mu_) / (1 - std::pow(n, -epsilon)), 1 / s);
    candidates.keep_top_k(k >= 1 && k < 1e9 ? static_cast<int>(k) : 1, 1);
  } else {
    size_t n = 1;
    while (n < candidates.size() && -std::log2(probability[n]) <= mirostat_mu_) ++n;
    candidates.truncate(n);
  }
  const int32_t id = draw(candidates);
  probability = candidates.probabilities();
  double chosen = 1;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].id == id) chosen = probability[i];
  }
  mirostat_mu_ -= *p.mirostat_eta * static_cast<float>(-std::log2(chosen) - *p.mirostat_tau);
  return id;
}

int32_t Sampler::sample(std::span<const float> logits, std::span<const uint64_t> allowed) {
  GLINT_CHECK(allowed.empty() || allowed.size() * 64 >= logits.size());
  std::vector<Candidate> items = collect(logits, allowed);
  if (items.empty()) {
    fail("no token can be chosen: all {} logits are infinite, not a number, banned, or not allowed", logits.size());
  }
  return choose(std::move(items));
}

int Sampler::n_deciding() const {
  const int cut = bias_.empty() ? first_cut() : 0;
  return cut == 0 ? 0 : cut + static_cast<int>(vocab_.banned.size());
}

int32_t Sampler::sample_largest(std::span<const Candidate> largest) {
  std::vector<Candidate> items;
  for (const Candidate& candidate : largest) {
    const auto id = static_cast<size_t>(candidate.id);
    if (id >= banned_.size() || !banned_[id]) items.push_back(candidate);
  }
  GLINT_CHECK(!items.empty());
  items.resize(std::min(items.size(), static_cast<size_t>(first_cut())));
  return choose(std::move(items));
}

int32_t Sampler::choose(std::vector<Candidate> items) {
  Candidates candidates(std::move(items));
  const SamplingParams& p = sampling_.params;
  int32_t id = 0;
  if (*p.temperature <= 0) {
    apply_penalties(candidates);
    apply_dry(candidates);
    id = candidates.best().id;
  } else if (*p.mirostat != 0) {
    apply_penalties(candidates);
    apply_dry(candidates);
    id = draw_mirostat(candidates);
  } else {
    for (SamplerKind kind : *p.samplers) apply(kind, candidates);
    id = draw(candidates);
  }
  accept(id);
  return id;
}

double log_probability(std::span<const float> logits, int32_t id) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return static_cast<double>(logits[static_cast<size_t>(id)]) - highest - std::log(sum);
}

std::vector<TokenLogProbability> top_log_probabilities(std::span<const float> logits, int n) {
  std::vector<Candidate> items;
  items.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) items.push_back({static_cast<int32_t>(i), logits[i]});
  Candidates candidates(std::move(items));
  const auto count = std::min(static_cast<size_t>(std::max(n, 0)), candidates.size());
  candidates.sort_prefix(count);
  const float highest = candidates.best().logit;
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  std::vector<TokenLogProbability> top;
  for (size_t i = 0; i < count; ++i) {
    top.push_back({candidates[i].id, static_cast<double>(candidates[i].logit) - highest - std::log(sum)});
  }
  return top;
}

}  // namespace glint
