// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <set>

#include "model/load.h"
#include "model/weights.h"

namespace glint {
namespace {

/// Of a stack of experts only the chosen ones are read.
double share_read(const ModelSpec& spec, const HostTensor& tensor, const TensorUse& use) {
  if (use.name == "token_embd.weight") {
    // One row, unless it is the head as well.
    return spec.tied_head ? 1.0 : 1.0 / static_cast<double>(spec.n_vocab);
  }
  if (tensor.dims.size() == 3 && use.name.find("_exps.") != std::string::npos) {
    for (const LayerSpec& layer : spec.layers) {
      if (const auto* moe = std::get_if<MoeSpec>(&layer.ffn)) {
        return static_cast<double>(moe->route.top_k) / static_cast<double>(moe->n_experts);
      }
    }
  }
  return 1.0;
}

}  // namespace

ModelPlan plan_model(const gguf::File& file, const ModelSpec& spec, KvFormat format) {
  ModelPlan plan;
  plan.kv_bytes_per_token = kv_bytes_per_token(spec, format);
  std::set<std::string> seen;
  const auto count = [&](const TensorUse& use) {
    const HostTensor* tensor = find_tensor(file, use);
    if (tensor == nullptr || !seen.insert(use.name).second) return;
    plan.weight_bytes += static_cast<int64_t>(tensor->bytes.size());
    plan.parameters += tensor->elements();
    plan.bytes_read_per_token += static_cast<int64_t>(static_cast<double>(tensor->bytes.size()) * share_read(spec, *tensor, use));
  };
  ModelWeights weights;
  visit_weights(weights, spec, false,
                {[&](Weight&, const TensorUse& use) { count(use); },
                 [&](MlaWeights&, const MlaSpec& mla, const std::string& name) {
                   count({.name = name, .dims = {static_cast<int64_t>(spec.n_heads) * (mla.d_nope + mla.d_v), mla.kv_rank}});
                 }});
  return plan;
}

}  // namespace glint
