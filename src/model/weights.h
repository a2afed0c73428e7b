// SPDX-License-Identifier: Apache-2.0
//
// The weights of a model and the one table that names their tensors: visit_weights below. Loading, size estimates,
// `inspect` and random test models all walk it, so a tensor is described once.
// Tested by tests/unit/model/load_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.h"
#include "model/row_slice.h"
#include "model/spec.h"

namespace glint {

/// The weights that go with an alternative of AttentionSpec or FfnSpec.
template <class Spec>
struct WeightsOf;
template <>
struct WeightsOf<GqaSpec> {
  using type = GqaWeights;
};
template <>
struct WeightsOf<MlaSpec> {
  using type = MlaWeights;
};
template <>
struct WeightsOf<GluSpec> {
  using type = GluWeights;
};
template <>
struct WeightsOf<MoeSpec> {
  using type = MoeLayerWeights;
};

struct LayerWeights {
  Weight attention_norm;       // [d_model]
  Weight ffn_norm;             // [d_model]
  Weight post_attention_norm;  // [d_model]
  Weight post_ffn_norm;        // [d_model]
  std::variant<GqaWeights, MlaWeights> attention;
  std::variant<GluWeights, MoeLayerWeights> ffn;
};

/// One prediction block: what it adds to an ordinary layer.
struct NextnWeights {
  LayerWeights layer;
  Weight eh_proj;         // [d_model, 2 * d_model]: embedding half first
  Weight embedding_norm;  // [d_model]
  Weight hidden_norm;     // [d_model]
  Weight head_norm;       // [d_model]; absent: the trunk's output_norm
  Weight embedding;       // [n_vocab, d_model]; absent: the trunk's
  Weight head;            // [n_vocab, d_model]; absent: the trunk's
};

struct ModelWeights {
  Weight embedding;    // [n_vocab, d_model]
  Weight output_norm;  // [d_model]
  Weight head;         // [n_vocab, d_model]; the embedding where it is tied
  std::vector<LayerWeights> layers;
  std::vector<NextnWeights> nextn;
};

/// How one weight is bound to a tensor of the file.
struct TensorUse {
  std::string name;
  std::vector<int64_t> dims;  // of the whole tensor, outermost first
  bool optional = false;
  std::string bias = {};  // name of its bias tensor, or empty; its shape is dims without the last
  RowSlice slice = {};
  bool is_head = false;  // only rows whose logits are asked for are multiplied with it
  int ffn_of = -1;       // the layer of the trunk whose feed-forward this is a part of, its norms included
  int n_read = 0;        // of dims[0], how many one generated token reads (a row, the chosen experts); 0: all
  std::vector<int64_t> bias_dims() const { return {dims.begin(), dims.end() - 1}; }
};

using BindWeight = std::function<void(Weight&, const TensorUse&)>;

/// Calls bind for every weight of the model; with `nextn`, of the prediction blocks too.
void visit_weights(ModelWeights& weights, const ModelSpec& spec, bool nextn, const BindWeight& bind);

/// Every use, in the table's order, for those who have no weights to fill.
std::vector<TensorUse> tensor_uses(const ModelSpec& spec, bool nextn);

}  // namespace glint
