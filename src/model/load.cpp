// SPDX-License-Identifier: Apache-2.0
#include "model/load.h"

#include <fmt/ranges.h>

#include <set>
#include <string_view>

#include "base/check.h"
#include "base/printable.h"
#include "model/arch/arch.h"

namespace glint {
namespace {

/// Names of all tensors that the model knows, used or not.
std::set<std::string> known_names(const ModelSpec& spec) {
  std::set<std::string> names;
  for (const TensorUse& use : tensor_uses(spec, /*nextn=*/true)) {
    names.insert(use.name);
    if (!use.bias.empty()) names.insert(use.bias);
    // Files that carry both layouts of MLA's kv_b are read from the split one.
    if (const size_t at = use.name.find("attn_k_b."); at != std::string::npos) {
      names.insert(use.name.substr(0, at) + "attn_kv_b.weight");
    }
  }
  return names;
}

/// Tensors that no weight of the model takes. A table as large as the head where the head is missing is no extra: it is
/// the head under another name, and the model would run without it, as one with tied weights, and talk nonsense.
void report_unknown(const gguf::File& file, const ModelSpec& spec, std::vector<Finding>& findings) {
  const std::set<std::string> known = known_names(spec);
  const std::vector<int64_t> head_dims = {spec.n_vocab, spec.d_model};
  size_t n_unknown = 0;
  std::string first;
  for (const HostTensor& tensor : file.tensors()) {
    // Frequencies of RoPE went into the spec; a reranker's classifier is read by whoever ranks.
    if (known.contains(tensor.name) || tensor.name.starts_with("rope_f") || tensor.name.starts_with("cls.output.")) continue;
    if (spec.tied_head && tensor.dims == head_dims) {
      fail("{}: tensor output.weight is missing, but {} has its shape {}", file.name(), printable(tensor.name),
           head_dims);
    }
    if (n_unknown++ == 0) first = printable(tensor.name);
  }
  if (n_unknown == 0) return;
  findings.push_back({FindingLevel::kWarning,
                      fmt::format("{} tensors of the file are not used, {} first", n_unknown, first),
                      "the file may be of another model family than it says"});
}

/// Of the file that a use reads.
int64_t bytes_of(const gguf::File& file, const TensorUse& use) {
  const HostTensor* tensor = file.find(use.name);
  if (tensor == nullptr) return 0;
  const int64_t rows = use.slice.count == 0 ? use.dims[0] : static_cast<int64_t>(use.slice.count) * use.slice.n_heads;
  return static_cast<int64_t>(tensor->bytes.size()) / use.dims[0] * rows;
}

class Loader {
 public:
  Loader(const gguf::File& file, Backend& backend, const LoadOptions& options, LoadedModel& model)
      : file_(file), backend_(backend), options_(options), model_(model) {}

  void bind(Weight& weight, const TensorUse& use) {
    const HostTensor* tensor = find_tensor(file_, use);
    if (tensor == nullptr) return;
    Backend& backend = is_on_host(use) ? *options_.host : backend_;
    weight = backend.import_weight(part_of(*tensor, use.slice));
    if (const HostTensor* bias = find_bias(file_, use)) {
      const Weight imported = backend.import_weight(*bias);
      weight.bias = static_cast<const float*>(imported.data);
      // Both lifetimes in one owner.
      using Owners = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
      weight.owner = std::make_shared<Owners>(weight.owner, imported.owner);
    }
  }

 private:
  bool is_on_host(const TensorUse& use) const {
    const auto layer = static_cast<size_t>(use.ffn_of);
    return use.ffn_of >= 0 && layer < options_.ffn_on_host.size() && options_.ffn_on_host[layer];
  }
  HostTensor part_of(const HostTensor& tensor, const RowSlice& slice) {
    if (slice.is_view()) return view_rows(tensor, slice);
    HostTensor part = sliced_shape(tensor, slice);
    model_.converted.push_back(copy_rows(tensor, slice));
    part.bytes = model_.converted.back();
    return part;
  }

  const gguf::File& file_;
  Backend& backend_;
  const LoadOptions& options_;
  LoadedModel& model_;
};

}  // namespace

const HostTensor* find_tensor(const gguf::File& file, const TensorUse& use) {
  const HostTensor* tensor = file.find(use.name);
  if (tensor == nullptr) {
    if (use.optional) return nullptr;
    fail("{}: tensor {} is missing; expected shape {}", file.name(), use.name, use.dims);
  }
  if (tensor->dims != use.dims) fail("{}: {}: shape {}, expected {}", file.name(), use.name, tensor->dims, use.dims);
  if (!traits(tensor->dtype).is_weight) {
    fail("{}: {} is of type {}, which is no number format of weights", file.name(), use.name,
         traits(tensor->dtype).name);
  }
  // Norms, biases and the like are read as they are.
  if (use.dims.size() == 1 && tensor->dtype != DType::kF32) {
    fail("{}: {} is {}; expected F32", file.name(), use.name, traits(tensor->dtype).name);
  }
  return tensor;
}

const HostTensor* find_bias(const gguf::File& file, const TensorUse& use) {
  if (use.bias.empty()) return nullptr;
  const HostTensor* bias = find_tensor(file, {.name = use.bias, .dims = use.bias_dims()});
  if (bias->dtype != DType::kF32) {
    fail("{}: {} is {}; expected F32", file.name(), bias->name, traits(bias->dtype).name);
  }
  return bias;
}

ModelSpec check_model(const gguf::File& file, std::vector<Finding>& findings) {
  ModelSpec spec = read_spec(file, findings);
  lint_file(file, spec, findings);
  for (const TensorUse& use : tensor_uses(spec, /*nextn=*/false)) {
    find_tensor(file, use);
    find_bias(file, use);
  }
  report_unknown(file, spec, findings);
  return spec;
}

CheckedModel check_model(const gguf::File& file) {
  CheckedModel checked;
  checked.spec = check_model(file, checked.findings);
  return checked;
}

LoadedModel load_model(const gguf::File& file, Backend& backend, const LoadOptions& options) {
  const bool nextn = options.nextn;
  CheckedModel checked = check_model(file);
  LoadedModel model;
  model.spec = std::move(checked.spec);
  model.findings = std::move(checked.findings);
  Loader loader(file, backend, options, model);
  int64_t done = 0, total = 0;
  for (const TensorUse& use : tensor_uses(model.spec, nextn)) total += bytes_of(file, use);
  visit_weights(model.weights, model.spec, nextn, [&](Weight& weight, const TensorUse& use) {
    if (options.progress) options.progress(done, total);
    loader.bind(weight, use);
    done += bytes_of(file, use);
  });
  backend.end_import();
  const auto adapt = [&](LayerWeights& layer) {
    if (auto* mla = std::get_if<MlaWeights>(&layer.attention)) backend.adapt(*mla);
  };
  for (LayerWeights& layer : model.weights.layers) adapt(layer);
  for (NextnWeights& block : model.weights.nextn) adapt(block.layer);
  return model;
}

}  // namespace glint
