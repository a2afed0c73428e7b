// SPDX-License-Identifier: Apache-2.0
//
// Grouped-query attention as a block, in every variant that models have: the CUDA backend's fast way against the
// default body, on the card (same bits) and on ref, and bit for bit alone and in company, at numbers of rows on both
// sides of each kernel's edge.
#include "tests/unit/cuda/dense_blocks.h"

namespace glint::backend_test {
namespace {

/// What a cache adds to the relative error e of a value that it rounds to steps of q: that of another step with
/// probability e / q, which is q wide. Q8_0 has 127 steps for the largest of 32 values, some 2.5 deviations.
double cache_error(DType dtype) {
  const double step = dtype == DType::kBF16 ? 0x1p-8 : dtype == DType::kQ8_0 ? 2.5 / 127 : 0;
  return std::sqrt(2 * kHalfError * step);
}

enum class Body { kBackends, kDefault };

struct Attention {
  const char* name;
  int d_model, n_heads, n_kv, d_head;
  DType q, k, v, output;
  int n_rotated;
  bool interleaved = false, bias = false, output_bias = false, qk_norm = false, post_norm = false, sinks = false;
  float softcap = 0;
  int window = 0;
  DType k_cache = DType::kF16, v_cache = DType::kF16;
  bool is_fast = true;
};

// 320, 288 and 36 are no whole tiles, heads of 48 and 36 none of flash_attend.cu's.
const Attention kAttentions[] = {
    {.name = "Llama",
     .d_model = 256,
     .n_heads = 4,
     .n_kv = 2,
     .d_head = 64,
     .q = kQ4_K,
     .k = kQ4_K,
     .v = kQ6_K,
     .output = kQ4_K,
     .n_rotated = 64,
     .interleaved = true},
    {.name = "Qwen2",
     .d_model = 320,
     .n_heads = 6,
     .n_kv = 2,
     .d_head = 64,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 64,
     .bias = true},
    {.name = "Qwen3",
     .d_model = 256,
     .n_heads = 4,
     .n_kv = 1,
     .d_head = 128,
     .q = kQ5_K,
     .k = kQ5_K,
     .v = kQ5_K,
     .output = kQ6_K,
     .n_rotated = 128,
     .qk_norm = true},
    {.name = "Gemma",
     .d_model = 256,
     .n_heads = 2,
     .n_kv = 1,
     .d_head = 256,
     .q = kQ4_K,
     .k = kQ6_K,
     .v = kQ8_0,
     .output = kQ4_K,
     .n_rotated = 256,
     .qk_norm = true,
     .post_norm = true,
     .softcap = 20,
     .window = 40},
    {.name = "Glm4",
     .d_model = 288,
     .n_heads = 4,
     .n_kv = 2,
     .d_head = 128,
     .q = kQ5_0,
     .k = kQ8_0,
     .v = kQ5_0,
     .output = kQ5_0,
     .n_rotated = 64,
     .interleaved = true,
     .bias = true,
     .post_norm = true},
    {.name = "GptOss",
     .d_model = 320,
     .n_heads = 4,
     .n_kv = 1,
     .d_head = 64,
     .q = kF16,
     .k = kF16,
     .v = kQ8_0,
     .output = kF16,
     .n_rotated = 64,
     .bias = true,
     .output_bias = true,
     .sinks = true,
     .window = 20},
    {.name = "NarrowHeads",
     .d_model = 288,
     .n_heads = 6,
     .n_kv = 3,
     .d_head = 36,
     .q = kF16,
     .k = kQ4_0,
     .v = kBF16,
     .output = kF16,
     .n_rotated = 20,
     .qk_norm = true},
    {.name = "F32Cache",
     .d_model = 256,
     .n_heads = 4,
     .n_kv = 2,
     .d_head = 48,
     .q = kQ4_K,
     .k = kQ4_K,
     .v = kQ4_K,
     .output = kQ8_0,
     .n_rotated = 48,
     .qk_norm = true,
     .k_cache = kF32,
     .v_cache = kF32},
    {.name = "BF16Cache",
     .d_model = 64,
     .n_heads = 4,
     .n_kv = 2,
     .d_head = 64,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 32,
     .k_cache = kBF16,
     .v_cache = kBF16},
    {.name = "Q8Cache",
     .d_model = 256,
     .n_heads = 2,
     .n_kv = 2,
     .d_head = 96,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 96,
     .qk_norm = true,
     .k_cache = kQ8_0,
     .v_cache = kQ8_0},
    {.name = "TwoCaches",
     .d_model = 256,
     .n_heads = 4,
     .n_kv = 2,
     .d_head = 64,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 64,
     .bias = true,
     .k_cache = kQ8_0,
     .v_cache = kF16},
    // Those that take the default body.
    {.name = "F32Weight",
     .d_model = 64,
     .n_heads = 2,
     .n_kv = 1,
     .d_head = 64,
     .q = kQ8_0,
     .k = kF32,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 64,
     .is_fast = false},
    {.name = "HeadsOfNoWholeFours",
     .d_model = 64,
     .n_heads = 2,
     .n_kv = 1,
     .d_head = 50,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kF16,
     .n_rotated = 50,
     .is_fast = false},
    {.name = "BlocksAcrossHeads",
     .d_model = 64,
     .n_heads = 2,
     .n_kv = 2,
     .d_head = 48,
     .q = kQ8_0,
     .k = kQ8_0,
     .v = kQ8_0,
     .output = kQ8_0,
     .n_rotated = 48,
     .k_cache = kQ8_0,
     .v_cache = kQ8_0,
     .is_fast = false},
    {.name = "NarrowModel",
     .d_model = 16,
     .n_heads = 2,
     .n_kv = 1,
     .d_head = 64,
     .q = kF16,
     .k = kF16,
     .v = kF16,
     .output = kF16,
     .n_rotated = 64,
     .is_fast = false},
};

/// Attention with a cache for sequences of kRows tokens.
class AttentionBlock {
 public:
  AttentionBlock(std::unique_ptr<Backend> backend, const Attention& a, int n_sequences)
      : operands_(std::move(backend)), a_(a) {
    const int d_q = a.n_heads * a.d_head, d_kv = a.n_kv * a.d_head;
    weights_.q = operands_.matrix(a.q, d_q, a.d_model, a.bias);
    weights_.k = operands_.matrix(a.k, d_kv, a.d_model, a.bias);
    weights_.v = operands_.matrix(a.v, d_kv, a.d_model, a.bias);
    weights_.output = operands_.matrix(a.output, a.d_model, d_q, a.output_bias);
    norm_ = operands_.vector(a.d_model);
    if (a.qk_norm) weights_.q_norm = operands_.vector(a.d_head);
    if (a.qk_norm) weights_.k_norm = operands_.vector(a.d_head);
    if (a.sinks) weights_.sinks = operands_.vector(a.n_heads);
    if (a.post_norm) post_norm_ = operands_.vector(a.d_model);
    std::vector<float> frequencies;
    for (int i = 0; i < a.n_rotated / 2; ++i)
      frequencies.push_back(std::pow(100.0f, -2.0f * static_cast<float>(i) / static_cast<float>(a.n_rotated)));
    rope_ = {.n_dims = a.n_rotated,
             .interleaved = a.interleaved,
             .scale = 1.25f,
             .inverse_frequency = operands_.floats(frequencies)};
    const int n_pages = n_sequences * kPages;
    std::vector<int32_t> pages;
    for (int i = 0; i < n_pages; ++i) pages.push_back(n_pages - 1 - i);
    pages_ = std::make_unique<DeviceInts>(operands_.backend(), pages);
    const auto memory = [&](DType dtype) {
      const auto bytes = static_cast<size_t>(n_pages * kPageTokens * row_bytes(dtype, d_kv));
      caches_.push_back(std::make_unique<DeviceArray<uint8_t>>(operands_.backend(), std::vector<uint8_t>(bytes, 0xff)));
      return caches_.back()->data();
    };
    cache_ = {.k = memory(a.k_cache),
              .v = memory(a.v_cache),
              .k_dtype = a.k_cache,
              .v_dtype = a.v_cache,
              .n_kv = a.n_kv,
              .d_k = a.d_head,
              .d_v = a.d_head};
  }

  /// A step of these rows, whose residual is `x`.
  Result step(const std::vector<float>& x, std::vector<Segment> segments, Body body = Body::kBackends) {
    std::vector<int32_t> positions, sequences;
    for (Segment& s : segments) {
      s.first_row = static_cast<int>(positions.size());
      for (int i = 0; i < s.n_rows; ++i) positions.push_back(s.first_position + i);
      sequences.insert(sequences.end(), static_cast<size_t>(s.n_rows), s.sequence);
    }
    const auto n = static_cast<int>(positions.size());
    const DeviceInts device_positions(operands_.backend(), positions), device_sequences(operands_.backend(), sequences);
    const Batch batch{.n_tokens = n,
                      .ids = nullptr,
                      .positions = device_positions.data(),
                      .sequences = device_sequences.data(),
                      .page_table = pages_->data(),
                      .max_pages = kPages,
                      .host_segments = segments};
    operands_.begin_step(n);
    BlockScratch scratch{};
    scratch.normed = operands_.scratch(a_.d_model);
    scratch.delta = operands_.scratch(a_.d_model);
    scratch.q = operands_.scratch(a_.n_heads * a_.d_head);
    scratch.k = operands_.scratch(a_.n_kv * a_.d_head);
    scratch.v = operands_.scratch(a_.n_kv * a_.d_head);
    scratch.attended = operands_.scratch(a_.n_heads * a_.d_head);
    const DeviceFloats residual(operands_.backend(), x);
    const Tensor rows = Tensor::matrix(residual.data(), n, a_.d_model);
    const BlockContext block{batch, kNormEps, norm_, post_norm_, scratch};
    const GqaShape shape{.n_heads = a_.n_heads,
                         .n_kv = a_.n_kv,
                         .d_head = a_.d_head,
                         .qk_norm = a_.qk_norm,
                         .scale = 1 / std::sqrt(static_cast<float>(a_.d_head)),
                         .softcap = a_.softcap,
                         .window = a_.window};
    if (body == Body::kDefault) {
      operands_.backend().Backend::gqa_block(rows, block, shape, weights_, cache_, rope_);
    } else {
      operands_.backend().gqa_block(rows, block, shape, weights_, cache_, rope_);
    }
    return {residual.download(), operands_.is_untouched(scratch.normed), operands_.is_untouched(scratch.delta)};
  }

  /// All of a sequence, in steps of so many rows.
  std::vector<float> run(const std::vector<float>& x, const std::vector<int>& pieces, Body body = Body::kBackends) {
    std::vector<float> all;
    int at = 0;
    for (const int n : pieces) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(at) * a_.d_model;
      const Result part = step({first, first + static_cast<std::ptrdiff_t>(n) * a_.d_model},
                               {{.sequence = 0, .first_row = 0, .n_rows = n, .first_position = at}}, body);
      all.insert(all.end(), part.x.begin(), part.x.end());
      at += n;
    }
    return all;
  }

 private:
  static constexpr int kPages = (kRows + kPageTokens - 1) / kPageTokens;

  Operands operands_;
  const Attention& a_;
  GqaWeights weights_;
  Weight norm_, post_norm_;
  RopeParams rope_;
  std::unique_ptr<DeviceInts> pages_;
  std::vector<std::unique_ptr<DeviceArray<uint8_t>>> caches_;
  KvLayer cache_;
};

class CudaGqa : public OnCard<Attention> {
 protected:
  static AttentionBlock on_card(int n_sequences = 1) { return {card(), variant(), n_sequences}; }
};

TEST_P(CudaGqa, HasTheBitsOfTheDefaultBody) {
  const std::vector<float> x = residual();
  EXPECT_EQ(on_card().run(x, kAscending), on_card().run(x, kAscending, Body::kDefault));
}

TEST_P(CudaGqa, ARowIsTheSameAloneAndInCompany) {
  const std::vector<float> x = residual();
  EXPECT_EQ(on_card().run(x, std::vector<int>(kRows, 1)), on_card().run(x, kDescending));
}

/// Eight values are rounded to f16 on the way: normed rows, two matrices, q, k, v, probabilities, what was attended.
/// Norms and softmax let the sum grow less than fourfold.
TEST_P(CudaGqa, AgreesWithRef) {
  const std::vector<float> x = residual();
  AttentionBlock ref(make_ref_backend(), variant(), 1);
  const double tolerance =
      4 * std::hypot(std::sqrt(8.0) * kHalfError, cache_error(variant().k_cache), cache_error(variant().v_cache));
  EXPECT_LE(relative_error(on_card().run(x, kDescending), ref.run(x, {kRows}), x), tolerance);
}

/// Rows of three sequences in one step of nine.
TEST_P(CudaGqa, SequencesAreTheirOwn) {
  const std::vector<Segment> pasts = {{0, 0, 10, 0}, {1, 0, 63, 0}, {2, 0, 70, 0}};
  const std::vector<Segment> news = {{0, 0, 1, 10}, {1, 0, 5, 63}, {2, 0, 3, 70}};
  AttentionBlock together = on_card(3), alone = on_card(3);
  std::vector<float> all, expected;
  for (size_t s = 0; s < pasts.size(); ++s) {
    const std::vector<float> past = residual(pasts[s].n_rows, static_cast<uint32_t>(80 + s));
    together.step(past, {pasts[s]});
    alone.step(past, {pasts[s]});
    const std::vector<float> x = residual(news[s].n_rows, static_cast<uint32_t>(90 + s));
    const std::vector<float> result = alone.step(x, {news[s]}).x;
    all.insert(all.end(), x.begin(), x.end());
    expected.insert(expected.end(), result.begin(), result.end());
  }
  EXPECT_EQ(together.step(all, news).x, expected);
}

/// One row norms itself on its way into the products, and any number goes straight to where it is added.
TEST_P(CudaGqa, GoesTheFastWayWhereItCan) {
  const Result one = on_card().step(residual(1), {{0, 0, 1, 0}});
  EXPECT_EQ(one.normed_untouched, variant().is_fast);
  const Result many = on_card().step(residual(9), {{0, 0, 9, 0}});
  EXPECT_EQ(many.delta_untouched, variant().is_fast && !variant().post_norm);
}

INSTANTIATE_TEST_SUITE_P(Variants, CudaGqa, testing::Combine(testing::ValuesIn(kAttentions), testing::Bool()), name_of);

}  // namespace
}  // namespace glint::backend_test
