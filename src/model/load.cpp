// SPDX-License-Identifier: Apache-2.0
#include "model/load.h"

#include <fmt/ranges.h>

#include <cstring>
#include <set>

#include "base/check.h"
#include "model/arch/arch.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

class Loader {
 public:
  Loader(const gguf::File& file, Backend& backend, LoadedModel& model) : file_(file), backend_(backend), model_(model) {}

  void bind(Weight& weight, const TensorUse& use) {
    const HostTensor* tensor = find_tensor(file_, use);
    if (tensor == nullptr) return;
    used_.insert(tensor->name);
    HostTensor part = *tensor;
    if (use.n_rows > 0) {
      const auto bytes = static_cast<size_t>(row_bytes(part.dtype, part.dims[1]));
      part.bytes = part.bytes.subspan(static_cast<size_t>(use.first_row) * bytes, static_cast<size_t>(use.n_rows) * bytes);
      part.dims[0] = use.n_rows;
    }
    weight = backend_.import_weight(part);
    if (use.bias.empty()) return;
    std::vector<int64_t> bias_dims(use.dims.begin(), use.dims.end() - 1);
    const HostTensor* bias = find_tensor(file_, {.name = use.bias, .dims = bias_dims});
    if (bias->dtype != DType::kF32) {
      fail("{}: {} is {}; expected F32", file_.name(), bias->name, traits(bias->dtype).name);
    }
    used_.insert(bias->name);
    const Weight imported = backend_.import_weight(*bias);
    weight.bias = static_cast<const float*>(imported.data);
    // Both lifetimes in one owner.
    weight.owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(weight.owner, imported.owner);
  }

  /// k_b is the transpose of the joint tensor's key rows, v_b its value rows, head by head.
  void bind_joint_kv_b(MlaWeights& weights, const MlaSpec& spec, const std::string& name) {
    const int n_heads = model_.spec.n_heads;
    const int rows = spec.d_nope + spec.d_v;
    const HostTensor* joint = find_tensor(file_, {.name = name, .dims = {static_cast<int64_t>(n_heads) * rows, spec.kv_rank}});
    used_.insert(name);
    const auto bytes = static_cast<size_t>(row_bytes(joint->dtype, spec.kv_rank));
    const auto rank = static_cast<size_t>(spec.kv_rank);
    // Transposing breaks blocks apart, so keys become f32: exact, and small beside the experts.
    std::vector<std::byte> k(static_cast<size_t>(n_heads) * rank * static_cast<size_t>(spec.d_nope) * sizeof(float));
    std::vector<std::byte> v(static_cast<size_t>(n_heads) * static_cast<size_t>(spec.d_v) * bytes);
    std::vector<float> row(rank);
    for (int h = 0; h < n_heads; ++h) {
      const std::byte* head = joint->bytes.data() + static_cast<size_t>(h) * static_cast<size_t>(rows) * bytes;
      auto* k_head = reinterpret_cast<float*>(k.data()) + static_cast<size_t>(h) * rank * static_cast<size_t>(spec.d_nope);
      for (int d = 0; d < spec.d_nope; ++d) {
        dequantize(joint->dtype, head + static_cast<size_t>(d) * bytes, spec.kv_rank, row.data());
        for (size_t r = 0; r < rank; ++r) k_head[r * static_cast<size_t>(spec.d_nope) + static_cast<size_t>(d)] = row[r];
      }
      std::memcpy(v.data() + static_cast<size_t>(h) * static_cast<size_t>(spec.d_v) * bytes,
                  head + static_cast<size_t>(spec.d_nope) * bytes, static_cast<size_t>(spec.d_v) * bytes);
    }
    weights.k_b = import_converted(name, DType::kF32, {n_heads, spec.kv_rank, spec.d_nope}, std::move(k));
    weights.v_b = import_converted(name, joint->dtype, {n_heads, spec.d_v, spec.kv_rank}, std::move(v));
  }

  void report_unused() {
    std::vector<std::string> unused;
    for (const HostTensor& tensor : file_.tensors()) {
      const bool read_by_spec = tensor.name.starts_with("rope_f");
      const bool nextn = is_nextn(tensor.name);
      if (!read_by_spec && !nextn && !used_.contains(tensor.name)) unused.push_back(tensor.name);
    }
    if (unused.empty()) return;
    const std::string first = unused.front();
    model_.findings.push_back({FindingLevel::kWarning, fmt::format("{} tensors of the file are not used, {} first", unused.size(), first),
                               "the file may be of another model family than it says"});
  }

 private:
  Weight import_converted(const std::string& name, DType dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes) {
    model_.converted.push_back(std::move(bytes));
    return backend_.import_weight({.name = name, .dtype = dtype, .dims = std::move(dims), .bytes = model_.converted.back()});
  }

  /// A tensor of a block behind the trunk.
  bool is_nextn(const std::string& name) const {
    int block = 0;
    return std::sscanf(name.c_str(), "blk.%9d.", &block) == 1 && block >= static_cast<int>(model_.spec.layers.size());
  }

  const gguf::File& file_;
  Backend& backend_;
  LoadedModel& model_;
  std::set<std::string> used_;
};

}  // namespace

const HostTensor* find_tensor(const gguf::File& file, const TensorUse& use) {
  const HostTensor* tensor = file.find(use.name);
  if (tensor == nullptr) {
    if (use.optional) return nullptr;
    fail("{}: tensor {} is missing; expected {}", file.name(), use.name, use.dims);
  }
  if (tensor->dims != use.dims) fail("{}: {}: shape {}, expected {}", file.name(), use.name, tensor->dims, use.dims);
  if (!traits(tensor->dtype).is_weight) {
    fail("{}: {} is of type {}, which is no number format of weights", file.name(), use.name, traits(tensor->dtype).name);
  }
  // Norms, biases and the like are read as they are.
  if (use.dims.size() == 1 && tensor->dtype != DType::kF32) {
    fail("{}: {} is {}; expected F32", file.name(), use.name, traits(tensor->dtype).name);
  }
  return tensor;
}

LoadedModel load_model(const gguf::File& file, Backend& backend, bool nextn) {
  LoadedModel model;
  model.spec = read_spec(file, model.findings);
  lint_file(file, model.spec, model.findings);
  Loader loader(file, backend, model);
  visit_weights(model.weights, model.spec, nextn,
                {[&](Weight& weight, const TensorUse& use) { loader.bind(weight, use); },
                 [&](MlaWeights& weights, const MlaSpec& spec, const std::string& name) {
                   loader.bind_joint_kv_b(weights, spec, name);
                 }});
  loader.report_unused();
  return model;
}

}  // namespace glint
