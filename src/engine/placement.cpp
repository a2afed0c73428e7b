// SPDX-License-Identifier: Apache-2.0
#include "engine/placement.h"

#include <algorithm>

#include "base/check.h"
#include "base/cpu_info.h"
#include "engine/expert_places.h"
#include "engine/out_of_memory.h"
#include "make_backend.h"
#include "model/kv_cache.h"

namespace glint {
namespace {

/// With less a model is of little use: `auto` takes the CPU, where there is more.
constexpr int kUsefulContext = 4096;

DecoderOptions decoder_options(const EngineOptions& options, int n_ctx, const std::vector<bool>& on_host) {
  return {.n_ctx = n_ctx,
          .n_sequences = options.n_sequences,
          .max_tokens = std::min(options.n_ubatch, n_ctx),
          .kv = {options.k_dtype, options.v_dtype},
          .ffn_on_host = on_host};
}

double mebibytes(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

[[noreturn]] void refuse(const MemoryPlanner& planner, const MemoryPlan& plan, const std::string& other_ways) {
  const std::string repairs = planner.repairs(plan.decoder);
  const std::string without = repairs.empty() ? "use a smaller model or quantisation" : repairs + " fits";
  throw OutOfMemory(fmt::format(
      "a context of {} tokens in steps of {} needs {:.1f} MiB, but only {:.1f} MiB are free on {}: weights {:.1f}, "
      "cache {:.1f}, working memory {:.1f}, the rest {:.1f}; {}{}",
      plan.decoder.n_ctx, plan.decoder.max_tokens, mebibytes(plan.needed()), mebibytes(plan.machine.free_bytes),
      plan.machine.device, mebibytes(plan.weights), mebibytes(plan.cache), mebibytes(plan.scratch + plan.workspace),
      mebibytes(plan.machine.reserve_bytes), without, other_ways));
}

/// The first card that glint can use, if any.
const Card* usable(const std::vector<Card>& cards) {
  for (const Card& card : cards) {
    if (card.why_not.empty()) return &card;
  }
  return nullptr;
}

/// -ngl as the backend's name says it.
void apply_gpu_layers(EngineOptions& options, int n_layers) {
  if (options.n_gpu_layers < 0 || options.backend == "ref") return;
  if (options.n_gpu_layers == 0) {
    options.backend = "cpu";
  } else if (options.n_gpu_layers < n_layers && options.backend != "cpu") {
    fail(
        "-ngl {}: a model's {} layers go to a card all together or not at all; use -ngl all (with "
        "--n-cpu-moe N where it is too large), or -ngl 0 for the CPU",
        options.n_gpu_layers, n_layers);
  }
}

}  // namespace

MemoryPlan fit_context(const MemoryPlanner& planner, const ModelSpec& spec, const EngineOptions& requested,
                       const std::vector<bool>& on_host) {
  const char* other_ways = requested.backend == "cuda" ? "; -dev none takes the CPU" : "";
  if (requested.n_ctx > 0) {
    const MemoryPlan plan = planner.plan(decoder_options(requested, requested.n_ctx, on_host));
    if (!plan.fits()) refuse(planner, plan, other_ways);
    return plan;
  }
  const int n_ctx = planner.fitting_context(decoder_options(requested, spec.n_ctx_train, on_host), spec.n_ctx_train);
  const int least = std::min(std::max(MemoryPlanner::kContextStep, requested.least_ctx), spec.n_ctx_train);
  if (n_ctx < least) {
    refuse(planner, planner.plan(decoder_options(requested, least, on_host)), other_ways);
  }
  return planner.plan(decoder_options(requested, n_ctx, on_host));
}

Placement place_model(const gguf::File& file, const ModelSpec& spec, const EngineOptions& requested) {
  EngineOptions options = requested;
  if (options.n_threads == 0) options.n_threads = available_cores();
  check_kv_format(spec, {options.k_dtype, options.v_dtype});
  apply_gpu_layers(options, static_cast<int>(spec.layers.size()));
  std::vector<bool> on_host = experts_on_host(spec, options);
  const auto make = [&](const std::string& name) {
    options.backend = name;
    return make_backend(name, {options.n_threads, options.card, options.generic_cards});
  };
  const auto place = [&](std::unique_ptr<Backend> backend) -> Placement {
    if (backend->memory().is_host) on_host.clear();  // everything stays there
    MemoryPlan plan = fit_context(MemoryPlanner(file, spec, *backend), spec, options, on_host);
    options.n_ctx = plan.decoder.n_ctx;
    options.n_ubatch = plan.decoder.max_tokens;
    std::unique_ptr<Backend> host;
    if (!on_host.empty()) host = make_backend("cpu", {.n_threads = options.n_threads});
    return {.backend = std::move(backend), .host = std::move(host), .options = options, .plan = std::move(plan)};
  };
  if (options.backend != "auto") return place(make(options.backend));
  std::string note;
  const std::vector<Card> cards = list_cards();
  if (const Card* card = usable(cards)) {
    options.card = card->index;
    std::unique_ptr<Backend> backend = make("cuda");
    const MemoryPlanner planner(file, spec, *backend);
    const int enough = options.n_ctx > 0 ? options.n_ctx : std::min(kUsefulContext, spec.n_ctx_train);
    const DecoderOptions least = decoder_options(options, enough, on_host);
    if (planner.plan(least).fits()) return place(std::move(backend));
    if (const std::optional<DecoderOptions> smaller = planner.with_experts_on_host(least)) {
      on_host = smaller->ffn_on_host;
      return place(std::move(backend));
    }
    const MemoryPlan missed = planner.plan(least);
    const std::string repairs = planner.repairs(least);
    note = fmt::format("the CPU computes: {} tokens of context need {:.1f} MiB, and {:.1f} are free on {}{}",
                       least.n_ctx, mebibytes(missed.needed()), mebibytes(missed.machine.free_bytes),
                       missed.machine.device, repairs.empty() ? "" : "; " + repairs + " fits there");
  }
  Placement placed = place(make("cpu"));
  placed.plan.note = note;
  return placed;
}

}  // namespace glint
