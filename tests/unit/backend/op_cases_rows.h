// SPDX-License-Identifier: Apache-2.0
//
// Rows of the op table: norms, elementwise ops, rotary embedding, routing and the fused ops. See op_cases.h.
#pragma once

#include "tests/unit/backend/op_case.h"

namespace glint::backend_test {

/// Heads and rows with gaps; n = 400 is enough work to be shared between threads.
struct RowShape {
  int n_rows, n_heads, width;
};
inline const std::vector<RowShape>& row_shapes() {
  static const std::vector<RowShape> kShapes = {{1, 1, 1}, {2, 3, 13}, {3, 1, 64}, {5, 2, 100}, {400, 2, 130}};
  return kShapes;
}

/// A case for every shape: `op` works on `target`, in place, with `operand` beside it.
template <class Op>
void add_for_shapes(std::vector<OpCase>& all, const std::string& name, double relative, double absolute, Op op,
                    float scale = 1) {
  for (const RowShape& s : row_shapes()) {
    const auto run = [=](Backend& backend) {
      const GappedRows target(backend, s.n_rows, s.n_heads, s.width, 31, scale);
      const GappedRows operand(backend, s.n_rows, s.n_heads, s.width, 32, scale);
      op(backend, target.tensor(), operand.tensor());
      return target.download();
    };
    all.push_back(
        {fmt::format("{}_{}x{}x{}", name, s.n_rows, s.n_heads, s.width), run, relative_bound(relative, absolute)});
  }
}

inline OpCase rope_case(bool interleaved, int n_dims, int n_rows) {
  const auto run = [=](Backend& backend) {
    std::vector<float> frequencies;
    for (int i = 0; i < n_dims / 2; ++i)
      frequencies.push_back(std::pow(10000.0f, -2.0f * static_cast<float>(i) / static_cast<float>(n_dims)));
    std::vector<int32_t> positions;
    for (int r = 0; r < n_rows; ++r) positions.push_back(r * 1031 + 5);
    const DeviceFloats table(backend, frequencies);
    const DeviceInts at(backend, positions);
    const GappedRows x(backend, n_rows, 3, n_dims + 6, 41);
    backend.rope(x.tensor(), at.data(), {n_dims, interleaved, 1.25f, table.data()});
    return x.download();
  };
  // Cosine and sine within an f32 rounding or two of 1, two products and a sum, all below 2.5.
  return {fmt::format("rope_{}_{}_{}", interleaved ? "interleaved" : "halves", n_dims, n_rows), run,
          relative_bound(0, 16 * kEps)};
}

/// Routes and shows the weights as a matrix [n_tokens, n_experts].
inline OpCase route_case(std::string name, RouteParams params, int n_experts, int n_tokens, bool bias) {
  const auto run = [=](Backend& backend) {
    const DeviceFloats logits(backend, random_values(static_cast<size_t>(n_tokens * n_experts), 51, 4));
    const DeviceFloats selection(backend, random_values(static_cast<size_t>(n_experts), 52, 0.2f));
    const auto n_slots = static_cast<size_t>(n_tokens * params.top_k);
    const DeviceInts experts(backend, std::vector<int32_t>(n_slots, -1));
    const DeviceFloats weights(backend, std::vector<float>(n_slots, -1));
    RouteParams with_bias = params;
    if (bias) with_bias.selection_bias = selection.data();
    backend.route({experts.data(), weights.data(), n_tokens, params.top_k},
                  Tensor::matrix(logits.data(), n_tokens, n_experts), with_bias);
    const auto chosen = experts.download();
    const auto values = weights.download();
    std::vector<float> matrix(static_cast<size_t>(n_tokens * n_experts));
    for (size_t slot = 0; slot < n_slots; ++slot) {
      const auto token = slot / static_cast<size_t>(params.top_k);
      matrix.at(token * static_cast<size_t>(n_experts) + static_cast<size_t>(chosen[slot])) = values[slot];
    }
    return matrix;
  };
  return {std::move(name), run, relative_bound((params.top_k + 16) * kEps, 0)};
}

/// A mixture of experts as a whole. The bound is loose where errors pass through three products; it is there to catch a
/// wrong expert, a missing weight or a wrong half, which are of the size of the values.
inline OpCase ffn_moe_case(std::string name, int n_tokens, Activation activation, bool fused, Products products) {
  constexpr int kModel = 96, kFf = 64, kExperts = 8, kTopK = 2;
  const auto run = [=](Backend& backend) {
    const OwnedTensor router(DType::kF32, {kExperts, kModel}, 61);
    const OwnedTensor gate(DType::kF16, {kExperts, fused ? 2 * kFf : kFf, kModel}, 62, 0.1f);
    const OwnedTensor up(DType::kF16, {kExperts, kFf, kModel}, 63, 0.1f);
    const OwnedTensor down(DType::kQ8_0, {kExperts, kModel, kFf}, 64, 0.1f);
    MoeWeights w;
    w.router = backend.import_weight(router.tensor());
    w.gate = backend.import_weight(gate.tensor());
    if (!fused) w.up = backend.import_weight(up.tensor());
    w.down = backend.import_weight(down.tensor());
    const auto scratch_matrix = [&](int n_rows, int width) {
      return std::make_unique<DeviceFloats>(backend, std::vector<float>(static_cast<size_t>(n_rows * width), NAN));
    };
    const int room = n_tokens + 2;  // scratch may be larger than the step
    const auto logits = scratch_matrix(room, kExperts), weights = scratch_matrix(room, kTopK);
    const auto gates = scratch_matrix(room * kTopK, 2 * kFf), ups = scratch_matrix(room * kTopK, kFf);
    const auto expert_out = scratch_matrix(room * kTopK, kModel);
    const DeviceInts experts(backend, std::vector<int32_t>(static_cast<size_t>(room * kTopK), -1));
    MoeScratch scratch{Tensor::matrix(logits->data(), room, kExperts),
                       {experts.data(), weights->data(), room, kTopK},
                       Tensor::matrix(gates->data(), room * kTopK, fused ? 2 * kFf : kFf),
                       Tensor::matrix(ups->data(), room * kTopK, kFf),
                       Tensor::matrix(expert_out->data(), room * kTopK, kModel)};
    const GappedRows x(backend, n_tokens, 1, kModel, 65);
    const GappedRows out(backend, n_tokens, 1, kModel, 66);
    const RouteParams params{Gate::kSigmoid, kTopK, 1, 1, true, 1.8f, nullptr};
    backend.ffn_moe(out.tensor(), x.tensor(), w, params, activation, scratch);
    return out.download();
  };
  const double tolerance = products == Products::kF16 ? 1e-2 : 1e-4;
  return {std::move(name), run, relative_bound(tolerance, tolerance)};
}

inline void add_lookup_cases(std::vector<OpCase>& all) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ6_K}) {
    const auto run = [dtype](Backend& backend) {
      const OwnedTensor table(dtype, {50, 256}, 33);
      const DeviceInts ids(backend, {49, 0, 7, 7});
      const GappedRows out(backend, 4, 1, 256, 34);
      backend.embed(out.tensor(), ids.data(), 1.7f, backend.import_weight(table.tensor()));
      return out.download();
    };
    all.push_back({"embed_" + std::string(traits(dtype).name), run, relative_bound(kEps, 0)});
  }
  all.push_back({"gather_rows",
                 [](Backend& backend) {
                   const GappedRows x(backend, 20, 3, 33, 35);
                   const GappedRows out(backend, 5, 3, 33, 36);
                   const DeviceInts rows(backend, {19, 0, 3, 3, 7});
                   backend.gather_rows(out.tensor(), x.tensor(), rows.data());
                   return out.download();
                 },
                 relative_bound(0, 0)});
  struct Top {
    int width, k;
    float unit;  // values are multiples of 1 / unit: the smaller, the more are equal
  };
  for (const Top& test :
       {Top{1, 1, 100}, Top{10, 1, 100}, Top{10, 10, 100}, Top{1000, 40, 100}, Top{1025, kMostTop, 1000},
        Top{154880, 1, 100}, Top{154880, 40, 1e4f}, Top{9000, kMostTop, 0.3f}}) {
    const auto run = [test](Backend& backend) {
      std::vector<float> values = random_values(static_cast<size_t>(3 * test.width), 37);
      for (float& v : values) v = std::round(v * test.unit);
      values[0] = NAN;
      const DeviceFloats x(backend, values);
      const DeviceArray<TopEntry> top(backend,
                                      std::vector<TopEntry>(static_cast<size_t>(3 * test.k), TopEntry{-1, -1}));
      backend.top(top.data(), Tensor::matrix(x.data(), 3, test.width), test.k);
      std::vector<float> found;
      for (const TopEntry& entry : top.download()) {
        found.push_back(static_cast<float>(entry.index));
        found.push_back(std::isnan(entry.value) ? -1e9f : entry.value);
      }
      return found;
    };
    all.push_back({fmt::format("top_{}_{}", test.width, test.k), run, relative_bound(0, 0)});
  }
}

inline void add_row_cases(std::vector<OpCase>& all, Products products) {
  add_for_shapes(all, "add", kEps, 0, [](Backend& b, Tensor x, Tensor y) { b.add(x, y); });
  add_for_shapes(all, "copy", 0, 0, [](Backend& b, Tensor x, Tensor y) { b.copy(x, y); });
  add_for_shapes(all, "scale", kEps, 0, [](Backend& b, Tensor x, Tensor) { b.scale_softcap(x, 0.3f, 0); });
  add_for_shapes(
      all, "softcap", 10 * kEps, 0, [](Backend& b, Tensor x, Tensor) { b.scale_softcap(x, 0.3f, 5); }, 50);
  // The argument of exp is below 34 and off by a few roundings, so exp by that many times 34; ref itself loses 1e-14
  // where 1 + tanh cancels.
  for (const auto& [name, activation] : {std::pair{"glu_silu", Activation::kSilu},
                                         {"glu_gelu", Activation::kGeluTanh},
                                         {"glu_gpt_oss", Activation::kGptOssSwiglu}}) {
    add_for_shapes(
        all, name, 240 * kEps, 1e-13, [a = activation](Backend& b, Tensor x, Tensor y) { b.glu(x, y, a); }, 10);
  }
  // `width` squares summed, halved by the root; then three roundings.
  const auto norm_weight = [](int width) {
    return OwnedTensor({width}, random_values(static_cast<size_t>(width), 38));
  };
  add_for_shapes(all, "rms_norm", 80 * kEps, 0, [=](Backend& b, Tensor x, Tensor y) {
    const OwnedTensor w = norm_weight(x.width);
    b.rms_norm(x, y, 1e-5f, b.import_weight(w.tensor()));
  });
  add_for_shapes(all, "rms_norm_in_place", 80 * kEps, 0, [=](Backend& b, Tensor x, Tensor) {
    const OwnedTensor w = norm_weight(x.width);
    b.rms_norm(x, x, 1e-5f, b.import_weight(w.tensor()));
  });
  for (const bool interleaved : {false, true}) {
    for (const int n_dims : {2, 6, 40, 64}) {
      for (const int n_rows : {1, 3, 100}) all.push_back(rope_case(interleaved, n_dims, n_rows));
    }
  }
  for (const int n_tokens : {1, 3, 300}) {
    const auto named = [&](const char* name) { return fmt::format("route_{}_{}", name, n_tokens); };
    all.push_back(route_case(named("softmax"), {Gate::kSoftmax, 4, 1, 1, false, 1, nullptr}, 16, n_tokens, false));
    all.push_back(route_case(named("glm_flash"), {Gate::kSigmoid, 4, 1, 1, true, 1.8f, nullptr}, 64, n_tokens, true));
    all.push_back(route_case(named("groups"), {Gate::kSigmoid, 3, 4, 2, true, 2.5f, nullptr}, 16, n_tokens, true));
    all.push_back(
        route_case(named("softmax_groups"), {Gate::kSoftmax, 3, 4, 2, false, 16, nullptr}, 16, n_tokens, false));
    all.push_back(
        route_case(named("gpt_oss"), {Gate::kSoftmaxAfterTopK, 4, 1, 1, false, 1, nullptr}, 32, n_tokens, false));
    all.push_back(
        ffn_moe_case(fmt::format("ffn_moe_{}", n_tokens), std::min(n_tokens, 20), Activation::kSilu, false, products));
    all.push_back(ffn_moe_case(fmt::format("ffn_moe_fused_{}", n_tokens), std::min(n_tokens, 20),
                               Activation::kGptOssSwiglu, true, products));
  }
  add_lookup_cases(all);
}

}  // namespace glint::backend_test
