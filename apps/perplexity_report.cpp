// SPDX-License-Identifier: Apache-2.0
#include "apps/perplexity_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace glint::app {
namespace {

using Json = nlohmann::ordered_json;

struct Fraction {
  const char* label;  // as wide as the tables want it
  const char* key;
  double value;
};
// Of all, and those that only the table of probabilities has.
constexpr Fraction kFractions[] = {{"Maximum", "max", 1},      {"99.9%  ", "q99_9", 0.999}, {"99.0%  ", "q99", 0.99},
                                   {"95.0%  ", "q95", 0.95},   {"90.0%  ", "q90", 0.9},     {"75.0%  ", "q75", 0.75},
                                   {"Median ", "median", 0.5}, {"25.0%  ", "q25", 0.25},    {"10.0%  ", "q10", 0.1},
                                   {" 5.0%  ", "q5", 0.05},    {" 1.0%  ", "q1", 0.01},     {" 0.1%  ", "q0_1", 0.001},
                                   {"Minimum", "min", 0}};

std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

Estimate percent(const Estimate& share) {
  return {100 * share.value, 100 * share.error};
}

void print_line(const char* label, const Estimate& estimate) {
  fmt::print("{:<30}: {:10.6f} ± {:10.6f}\n", label, estimate.value, estimate.error);
}

Json to_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"error", estimate.error}};
}

Json quantiles_json(const std::vector<double>& values, const Estimate& mean) {
  Json result = {{"mean", mean.value}, {"error", mean.error}};
  for (const Fraction& fraction : kFractions) result[fraction.key] = quantile(values, fraction.value);
  return result;
}

}  // namespace

void print_running(int chunk, std::span<const double> nll) {
  fmt::print("[{}]{:.4f},", chunk, perplexity_of(nll).value);
  std::fflush(stdout);
}

void print_perplexity(std::span<const double> nll) {
  const Estimate perplexity = perplexity_of(nll);
  fmt::print("\nFinal estimate: PPL = {:.4f} +/- {:.5f}\n", perplexity.value, perplexity.error);
}

void print_divergence_head() {
  fmt::print(
      "chunk             PPL               ln(PPL(Q)/PPL(base))          KL DivergenceSamples              Δp RMS"
      "            Same top p\n");
}

void print_divergence_row(int chunk, const DivergenceSamples& d) {
  const Estimate perplexity = perplexity_of(d.nll), log_ratio = d.log_ratio(), kl = mean_of(d.kl);
  const Estimate rms = percent(d.rms_p_difference()), same = percent(d.same_top());
  fmt::print(
      "{:4}    {:9.4f} ± {:9.4f}    {:10.5f} ± {:10.5f}    {:10.5f} ± {:10.5f}    {:6.3f} ± {:6.3f} %"
      "    {:6.3f} ± {:6.3f} %\n",
      chunk, perplexity.value, perplexity.error, log_ratio.value, log_ratio.error, kl.value, kl.error, rms.value,
      rms.error, same.value, same.error);
  std::fflush(stdout);
}

void print_divergence(const DivergenceSamples& d) {
  fmt::print("\n====== Perplexity statistics ======\n");
  print_line("Mean PPL(Q)", perplexity_of(d.nll));
  print_line("Mean PPL(base)", perplexity_of(d.base_nll));
  fmt::print("Cor(ln(PPL(Q)), ln(PPL(base))): {:6.2f}%\n", 100 * d.correlation());
  print_line("Mean ln(PPL(Q)/PPL(base))", d.log_ratio());
  print_line("Mean PPL(Q)/PPL(base)", d.ratio());
  print_line("Mean PPL(Q)-PPL(base)", d.difference());

  fmt::print("\n====== KL divergence statistics ======\n");
  const std::vector<double> kl = sorted(d.kl);
  const Estimate mean_kl = mean_of(d.kl);
  // The project's gate is 1e-3 nats and a card reaches 4e-5: six decimals would leave two digits.
  fmt::print("Mean    KLD: {:12.9f} ± {:12.9f}\n", mean_kl.value, mean_kl.error);
  for (const Fraction& f : kFractions) {
    if (f.value != 0.25 && f.value != 0.75) fmt::print("{} KLD: {:12.9f}\n", f.label, quantile(kl, f.value));
  }

  fmt::print("\n====== Token probability statistics ======\n");
  const std::vector<double> difference = sorted(d.p_difference);
  const Estimate mean = percent(mean_of(d.p_difference)), rms = percent(d.rms_p_difference());
  fmt::print("Mean    Δp: {:6.3f} ± {:5.3f} %\n", mean.value, mean.error);
  for (const Fraction& f : kFractions) fmt::print("{} Δp: {:6.3f}%\n", f.label, 100 * quantile(difference, f.value));
  fmt::print("RMS Δp    : {:6.3f} ± {:5.3f} %\n", rms.value, rms.error);
  const Estimate same = percent(d.same_top());
  fmt::print("Same top p: {:6.3f} ± {:5.3f} %\n", same.value, same.error);
  if (d.gaps.empty()) return;
  const std::vector<double> gaps = sorted(d.gaps);
  fmt::print(
      "Other top p: {} of {} positions; there the base puts its own above it by {:.6f} nats (median), {:.6f} "
      "(maximum)\n",
      gaps.size(), d.size(), quantile(gaps, 0.5), gaps.back());
}

Json perplexity_json(std::span<const double> nll) {
  return {{"positions", nll.size()}, {"ppl", to_json(perplexity_of(nll))}};
}

Json divergence_json(const DivergenceSamples& d) {
  const std::vector<double> gaps = sorted(d.gaps);
  Json result = perplexity_json(d.nll);
  result["base_ppl"] = to_json(perplexity_of(d.base_nll));
  result["correlation"] = d.correlation();
  result["log_ratio"] = to_json(d.log_ratio());
  result["ratio"] = to_json(d.ratio());
  result["difference"] = to_json(d.difference());
  result["kl"] = quantiles_json(sorted(d.kl), mean_of(d.kl));
  result["p_difference"] = quantiles_json(sorted(d.p_difference), mean_of(d.p_difference));
  result["p_difference"]["rms"] = to_json(d.rms_p_difference());
  result["same_top"] = to_json(d.same_top());
  result["other_top"] = {{"positions", gaps.size()},
                         {"gap_median", gaps.empty() ? Json() : Json(quantile(gaps, 0.5))},
                         {"gap_max", gaps.empty() ? Json() : Json(gaps.back())}};
  return result;
}

}  // namespace glint::app
