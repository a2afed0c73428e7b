// SPDX-License-Identifier: Apache-2.0
#include "model/memory_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "model/kv_cache.h"
#include "model/load.h"
#include "model/scratch.h"

namespace glint {
namespace {

/// Shapes of the weight that a use becomes; what Loader::bind imports.
Weight shape_of(const HostTensor& tensor) {
  const auto dim = [&](size_t from_inner) {
    return from_inner < tensor.dims.size() ? static_cast<int>(tensor.dims[tensor.dims.size() - 1 - from_inner]) : 1;
  };
  Weight w;
  w.dtype = tensor.dtype;
  w.count = dim(2);
  w.n_out = dim(1);
  w.n_in = dim(0);
  return w;
}

/// All weights; and of those, each layer's feed-forward.
int64_t planned_weights(const gguf::File& file, const ModelSpec& spec, const Backend& backend,
                        std::vector<int64_t>& ffn) {
  int64_t total = 0;
  ffn.assign(spec.layers.size(), 0);
  ModelWeights shapes;
  visit_weights(shapes, spec, /*nextn=*/false, [&](Weight& weight, const TensorUse& use) {
    const HostTensor* tensor = find_tensor(file, use);
    if (tensor == nullptr) return;
    const HostTensor part = use.slice.is_view() ? view_rows(*tensor, use.slice) : sliced_shape(*tensor, use.slice);
    weight = shape_of(part);
    int64_t bytes = backend.weight_bytes(part);
    if (const HostTensor* bias = find_bias(file, use)) bytes += backend.weight_bytes(*bias);
    total += bytes;
    if (use.ffn_of >= 0) ffn[static_cast<size_t>(use.ffn_of)] += bytes;
  });
  for (const LayerWeights& layer : shapes.layers) {
    if (const auto* mla = std::get_if<MlaWeights>(&layer.attention)) total += backend.adapt_bytes(*mla);
  }
  return total;
}

std::string in_units(int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? fmt::format("{:.1f} MiB", mebibytes) : fmt::format("{:.2f} GiB", mebibytes / 1024);
}

std::string cache_formats(const MemoryPlan& plan) {
  const KvFormat kv = plan.decoder.kv;
  const std::string k(traits(kv.k).name), v(traits(kv.v).name);
  return k == v ? k : k + " and " + v;
}

}  // namespace

int64_t MemoryPlan::needed() const {
  return weights + std::max(importing, cache + scratch + workspace) + machine.reserve_bytes;
}

std::string describe(const MemoryPlan& plan) {
  return fmt::format("{} of {} free on {}: weights {}, cache {} ({} tokens, {}), working memory {}, the rest {}",
                     in_units(plan.needed()), in_units(plan.machine.free_bytes), plan.machine.device,
                     in_units(plan.weights), in_units(plan.cache), plan.decoder.n_ctx, cache_formats(plan),
                     in_units(plan.scratch + plan.workspace), in_units(plan.machine.reserve_bytes)) +
         (plan.decoder.n_on_host() == 0
              ? ""
              : fmt::format("; experts of {} layers in host memory", plan.decoder.n_on_host()));
}

MemoryPlanner::MemoryPlanner(const gguf::File& file, const ModelSpec& spec, const Backend& backend)
    : spec_(spec),
      backend_(backend),
      machine_(backend.memory()),
      weights_(planned_weights(file, spec, backend, ffn_weights_)) {}

MemoryPlan MemoryPlanner::plan(const DecoderOptions& options) const {
  const auto allocation = [&](int64_t bytes) { return backend_.allocation_bytes(bytes); };
  int64_t weights = weights_;
  for (size_t i = 0; i < ffn_weights_.size(); ++i) {
    if (options.is_on_host(static_cast<int>(i))) weights -= ffn_weights_[i];
  }
  return {.machine = machine_,
          .decoder = options,
          .weights = weights,
          .importing = backend_.import_bytes(),
          .cache = KvCache::bytes_for(spec_, options, allocation),
          .scratch = Scratch::bytes_for(spec_, options, allocation),
          .workspace = backend_.workspace_bytes(step_limits(spec_, options))};
}

int MemoryPlanner::fitting_context(DecoderOptions options, int most) const {
  const auto fits = [&](int n_ctx) {
    options.n_ctx = n_ctx;
    return plan(options).fits();
  };
  if (fits(most)) return most;
  // In steps: low fits (or is 0), high does not.
  int low = 0, high = static_cast<int>((int64_t{most} + kContextStep - 1) / kContextStep);
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (fits(middle * kContextStep) ? low : high) = middle;
  }
  return low * kContextStep;
}

std::optional<DecoderOptions> MemoryPlanner::with_experts_on_host(DecoderOptions options) const {
  if (machine_.is_host) return std::nullopt;
  options.ffn_on_host.resize(spec_.layers.size());
  for (size_t i = 0; i < spec_.layers.size(); ++i) {
    if (!std::holds_alternative<MoeSpec>(spec_.layers[i].ffn) || options.ffn_on_host[i]) continue;
    options.ffn_on_host[i] = true;
    if (plan(options).fits()) return options;
  }
  return std::nullopt;
}

std::string MemoryPlanner::repairs(const DecoderOptions& options) const {
  std::vector<std::string> ways;
  if (const int n_ctx = fitting_context(options, options.n_ctx); n_ctx > 0) ways.push_back(fmt::format("-c {}", n_ctx));
  for (int n : {1024, 512, 256, 128}) {
    DecoderOptions shorter = options;
    shorter.max_tokens = n;
    if (n >= options.max_tokens || n <= options.n_sequences || !plan(shorter).fits()) continue;
    ways.push_back(fmt::format("-ub {}", n));
    break;
  }
  DecoderOptions smaller = options;
  smaller.kv = {DType::kQ8_0, DType::kQ8_0};
  const bool has_values = kv_bytes(spec_, options.kv).v > 0;
  const std::string flags = has_values ? "-ctk q8_0 -ctv q8_0" : "-ctk q8_0";
  if (can_cache(spec_, smaller.kv) && plan(smaller).cache < plan(options).cache && plan(smaller).fits())
    ways.push_back(flags);
  if (const std::optional<DecoderOptions> placed = with_experts_on_host(options)) {
    const auto last = std::find(placed->ffn_on_host.rbegin(), placed->ffn_on_host.rend(), true);
    ways.push_back(fmt::format("--n-cpu-moe {}", placed->ffn_on_host.rend() - last));
  }
  return fmt::format("{}", fmt::join(ways, " or "));
}

}  // namespace glint
