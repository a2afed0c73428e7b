// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <set>

#include "model/load.h"
#include "model/scratch.h"
#include "model/weights.h"

namespace glint {
namespace {

/// A tensor may serve several uses (slices of one matrix) and is counted with the first.
void count(ModelPlan& plan, const HostTensor& tensor, int n_read) {
  const auto bytes = static_cast<int64_t>(tensor.bytes.size());
  plan.weight_bytes += bytes;
  plan.parameters += tensor.elements();
  plan.bytes_read_per_token += n_read == 0 ? bytes : bytes / tensor.dims[0] * n_read;
}

}  // namespace

ModelPlan plan_model(const gguf::File& file, const ModelSpec& spec, KvFormat format) {
  ModelPlan plan;
  plan.kv = kv_bytes(spec, format);
  plan.kv_bytes_per_token = plan.kv.total();
  std::set<std::string> seen;
  for (const TensorUse& use : tensor_uses(spec, /*nextn=*/false)) {
    const HostTensor* tensor = find_tensor(file, use);
    if (tensor == nullptr) continue;
    if (!use.slice.is_view()) {
      const HostTensor copy = sliced_shape(*tensor, use.slice);
      plan.converted_bytes += row_bytes(copy.dtype, copy.elements());
    }
    if (!seen.insert(use.name).second) continue;
    count(plan, *tensor, use.n_read);
    if (const HostTensor* bias = find_bias(file, use)) count(plan, *bias, use.n_read);
  }
  return plan;
}

DecoderPlan plan_decoder(const ModelSpec& spec, const DecoderOptions& options) {
  const KvBytes row = kv_bytes(spec, options.kv, options.nextn);
  const int64_t capacity = KvCache::capacity(options);
  const auto exactly = [](int64_t bytes) { return bytes; };
  return {.k_bytes = row.k * capacity,
          .v_bytes = row.v * capacity,
          .scratch_bytes = Scratch::bytes_for(spec, options, exactly)};
}

}  // namespace glint
