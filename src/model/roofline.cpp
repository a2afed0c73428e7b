// SPDX-License-Identifier: Apache-2.0
#include "model/roofline.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "model/kv_cache.h"
#include "model/load.h"

namespace glint {
namespace {

/// Cached tokens that the token at `position` sees.
double seen(int position, int window) {
  return window > 0 ? std::min(position + 1, window) : position + 1;
}

}  // namespace

Roofline::Roofline(const gguf::File& file, const ModelSpec& spec, KvFormat format) {
  std::set<std::string> counted;  // slices of one tensor are read once
  for (const TensorUse& use : tensor_uses(spec, /*nextn=*/false)) {
    const HostTensor* tensor = find_tensor(file, use);
    if (tensor == nullptr || !counted.insert(use.name).second) continue;
    const auto rows = static_cast<double>(use.dims[0]);
    matrices_.push_back({.bytes = static_cast<double>(tensor->bytes.size()),
                         .parameters = static_cast<double>(tensor->elements()),
                         .share = use.n_read == 0 ? 1 : use.n_read / rows,
                         .is_head = use.is_head});
  }
  for (const LayerSpec& layer : spec.layers) {
    Layer facts{.row_bytes = static_cast<double>(kv_bytes(layer, format).total())};
    if (const auto* gqa = std::get_if<GqaSpec>(&layer.attention)) {
      facts.flops_of_a_pair = 2.0 * spec.n_heads * 2 * gqa->d_head;
      facts.window = gqa->window;
    } else {
      const auto& mla = std::get<MlaSpec>(layer.attention);
      facts.flops_of_a_pair = 2.0 * spec.n_heads * (mla.d_nope + mla.d_rope + mla.d_v);
    }
    layers_.push_back(facts);
  }
}

double Roofline::bytes(int n_tokens, int n_past) const {
  double total = 0;
  // Tokens choose rows and experts independently of each other; what two choose is read once.
  for (const Matrix& matrix : matrices_) total += matrix.bytes * (1 - std::pow(1 - matrix.share, n_tokens));
  for (const Layer& layer : layers_) {
    const double first = n_past + 1 - seen(n_past, layer.window);  // the oldest that the first token sees
    total += layer.row_bytes * (n_past + n_tokens - first);
  }
  return total;
}

double Roofline::flops(int n_tokens, int n_past) const {
  double total = 0;
  for (const Matrix& matrix : matrices_) {
    total += 2 * matrix.parameters * matrix.share * (matrix.is_head ? 1 : n_tokens);
  }
  for (const Layer& layer : layers_) {
    for (int i = 0; i < n_tokens; ++i) total += layer.flops_of_a_pair * seen(n_past + i, layer.window);
  }
  return total;
}

double Roofline::seconds(const MachineLimits& limits, int n_tokens, int n_past) const {
  if (limits.bytes_per_second <= 0 || limits.flops_per_second <= 0) return 0;
  return std::max(bytes(n_tokens, n_past) / limits.bytes_per_second, flops(n_tokens, n_past) / limits.flops_per_second);
}

}  // namespace glint
