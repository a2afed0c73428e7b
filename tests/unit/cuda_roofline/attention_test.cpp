// SPDX-License-Identifier: Apache-2.0
//
// Attention over the cache at the shapes of grouped-query models (flash_attend.cu: Llama 3 8B, Qwen3-30B-A3B, gpt-oss,
// Gemma, Phi-3) and, absorbed, of GLM-4.7-Flash's latent rows (mla_decode.cu): some rows against ref, and the share of
// the card's limit.
#include "tests/unit/backend/operands.h"
#include "tests/unit/cuda_roofline/card.h"

namespace glint::roofline_test {
namespace {

using namespace backend_test;

struct Heads {
  const char* name;
  int n_heads, n_kv, d_k, d_v;
  bool latent = false;  // values are the front of the keys
};
constexpr Heads kGrouped = {"32 / 8 heads of 128", 32, 8, 128, 128};
constexpr Heads kGroupsOf8 = {"32 / 4 heads of 128", 32, 4, 128, 128};
constexpr Heads kNarrow = {"64 / 8 heads of 64", 64, 8, 64, 64};
constexpr Heads kWide = {"16 / 8 heads of 256", 16, 8, 256, 256};
constexpr Heads kUngrouped = {"32 / 32 heads of 96", 32, 32, 96, 96};
constexpr Heads kLatent = {"latent, 20 heads", 20, 1, 576, 512, true};

struct AttentionCase {
  Heads heads;
  DType dtype;
  int n_sequences;
  SequenceLength each;

  std::vector<SequenceLength> lengths() const {
    return std::vector<SequenceLength>(static_cast<size_t>(n_sequences), each);
  }
  int d_q() const { return heads.n_heads * heads.d_k; }
  int d_out() const { return heads.n_heads * heads.d_v; }
};

void PrintTo(const AttentionCase& c, std::ostream* out) {
  *out << c.heads.name;
}

AttentionCase for_this_card(AttentionCase c) {
  if (!is_emulated()) return c;
  c.n_sequences = std::min(c.n_sequences, 2);
  c.each.n_queries = std::min(c.each.n_queries, 3);
  c.each.n_tokens = std::min(c.each.n_tokens, 70);
  return c;
}

/// Keys and values of every cached row (a latent row is both).
struct CachedRows {
  CachedRows(const AttentionCase& c, int64_t n_rows)
      : keys(c.dtype, {n_rows, c.heads.n_kv * c.heads.d_k}, 21, 1, kThreads),
        values(c.dtype, {c.heads.latent ? 1 : n_rows, c.heads.n_kv * c.heads.d_v}, 22, 1, kThreads) {}
  static constexpr int kThreads = 8;
  OwnedTensor keys, values;
};

/// A cache with these rows, several times, and queries for its last positions.
class Attention {
 public:
  Attention(Backend& backend, const AttentionCase& c, const CachedRows& rows, int n_copies)
      : backend_(backend),
        c_(c),
        batch_(backend, c.lengths(), false),
        q_(backend, random_values(static_cast<size_t>(n_rows()) * static_cast<size_t>(c.d_q()), 23)),
        out_(backend, std::vector<float>(static_cast<size_t>(n_rows()) * static_cast<size_t>(c.d_out()), NAN)) {
    for (int i = 0; i < n_copies; ++i) {
      for (const OwnedTensor* tensor : {&rows.keys, &rows.values}) {
        const auto bytes = tensor->tensor().bytes;
        caches_.push_back(backend.allocate(bytes.size()));
        backend.upload(caches_.back()->data(), bytes.data(), bytes.size());
      }
    }
    for (int s = 0; s < c.n_sequences; ++s)
      segments_.push_back({s, s * c.each.n_queries, c.each.n_queries, c.each.n_tokens - c.each.n_queries});
  }

  int n_rows() const { return batch_.n_tokens(); }
  /// All rows.
  void run(int copy) {
    Batch batch = batch_.batch();
    batch.host_segments = segments_;
    attend(batch, 0, copy);
  }
  /// One row alone, over copy 0.
  void run_row(int row) {
    Batch batch = batch_.batch();
    batch.n_tokens = 1;
    batch.positions += row;
    batch.sequences += row;
    attend(batch, row, 0);
  }
  std::vector<float> row(int row) const {
    std::vector<float> values(static_cast<size_t>(c_.d_out()));
    backend_.download(values.data(), out_.data() + static_cast<int64_t>(row) * c_.d_out(),
                      values.size() * sizeof(float));
    return values;
  }

 private:
  void attend(const Batch& batch, int first_row, int copy) {
    const Heads& heads = c_.heads;
    const auto cache = [&](int which) { return caches_[static_cast<size_t>(2 * copy + which)]->data(); };
    const KvLayer layer{cache(0), heads.latent ? nullptr : cache(1), c_.dtype, c_.dtype, heads.n_kv, heads.d_k,
                        heads.d_v};
    const auto rows = [&](float* data, int width) {
      return Tensor::matrix(data, n_rows(), width).rows(first_row, batch.n_tokens).split_heads(heads.n_heads);
    };
    backend_.attend(rows(out_.data(), c_.d_out()), rows(q_.data(), c_.d_q()), layer, batch,
                    {.scale = 1 / std::sqrt(static_cast<float>(heads.d_k))});
  }

  Backend& backend_;
  AttentionCase c_;
  PagedBatch batch_;
  DeviceFloats q_, out_;
  std::vector<std::unique_ptr<Buffer>> caches_;  // keys and values of each copy
  std::vector<Segment> segments_;
};

/// Cached rows once for each sequence, queries and outputs; two products for each pair of a query and a row it sees.
Cost cost_of(const AttentionCase& c) {
  const Heads& heads = c.heads;
  const auto row = static_cast<double>(row_bytes(c.dtype, heads.n_kv * heads.d_k) +
                                       (heads.latent ? 0 : row_bytes(c.dtype, heads.n_kv * heads.d_v)));
  const double n_queries = c.each.n_queries;
  const double pairs = n_queries * (c.each.n_tokens - (n_queries - 1) / 2);
  return {c.n_sequences * (c.each.n_tokens * row + n_queries * (c.d_q() + c.d_out()) * sizeof(float)),
          c.n_sequences * pairs * 2 * (c.d_q() + c.d_out())};
}

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::isnan(error) ? HUGE_VAL : std::sqrt(error / norm);
}

class CachedAttention : public KernelTest, public testing::WithParamInterface<AttentionCase> {};

TEST_P(CachedAttention, AtFullShape) {
  const AttentionCase c = for_this_card(GetParam());
  const auto ref = make_ref_backend();
  const CachedRows rows(c, PagedBatch(*ref, c.lengths(), false).n_cache_rows());
  Attention expected(*ref, c, rows, 1);
  Card card;
  const Cost cost = cost_of(c);
  const int n_copies = card.copies_for(cost.bytes);
  Attention attention(card.backend(), c, rows, n_copies);
  attention.run(0);
  // Queries, probabilities, values and partial results are rounded to f16, by 2^-11 / sqrt(3) of themselves at random.
  // As the terms of a weighted mean are independent, so are their errors; scores, of size 1, make them grow less than
  // fourfold.
  const double tolerance = 4 * std::sqrt(4.0 / 3) * 0x1p-11;
  for (const int row : {0, attention.n_rows() / 2, attention.n_rows() - 1}) {
    expected.run_row(row);
    EXPECT_LE(relative_error(attention.row(row), expected.row(row)), tolerance) << "row " << row;
  }
  card.measure({"attend " + std::string(traits(c.dtype).name),
                fmt::format("{}, {} x {} of {}", c.heads.name, c.n_sequences, c.each.n_queries, c.each.n_tokens),
                attention.n_rows()},
               cost, n_copies, [&](int copy) { attention.run(copy); });
}

const std::vector<AttentionCase> kCases = {
    {kGrouped, DType::kF16, 1, {8192, 1}},      {kGrouped, DType::kQ8_0, 1, {8192, 1}},
    {kGrouped, DType::kF16, 8, {2048, 1}},      {kGrouped, DType::kF16, 32, {2048, 1}},
    {kGrouped, DType::kF16, 1, {512, 512}},     {kGrouped, DType::kF16, 1, {2048, 2048}},
    {kGrouped, DType::kF16, 1, {8192, 2048}},   {kGrouped, DType::kF16, 1, {8192, 8192}},
    {kGrouped, DType::kF16, 1, {512, 1}},       {kGrouped, DType::kF16, 1, {32768, 1}},
    {kGrouped, DType::kF16, 1, {32768, 8}},     {kGrouped, DType::kF16, 1, {32768, 40}},
    {kGrouped, DType::kF16, 1, {32768, 2048}},  {kGrouped, DType::kF16, 64, {4096, 1}},
    {kGrouped, DType::kBF16, 1, {8192, 1}},     {kGrouped, DType::kBF16, 1, {8192, 8192}},
    {kGrouped, DType::kQ8_0, 1, {8192, 8192}},  {kGroupsOf8, DType::kF16, 1, {32768, 1}},
    {kGroupsOf8, DType::kF16, 1, {8192, 8192}}, {kNarrow, DType::kF16, 1, {32768, 1}},
    {kNarrow, DType::kF16, 1, {8192, 8192}},    {kWide, DType::kF16, 1, {32768, 1}},
    {kWide, DType::kF16, 1, {8192, 8192}},      {kUngrouped, DType::kF16, 1, {8192, 1}},
    {kUngrouped, DType::kF16, 1, {8192, 8192}}, {kLatent, DType::kF16, 1, {512, 1}},
    {kLatent, DType::kF16, 1, {8192, 1}},       {kLatent, DType::kF16, 1, {32768, 1}},
    {kLatent, DType::kF16, 8, {2048, 1}},       {kLatent, DType::kF16, 64, {2048, 1}},
    {kLatent, DType::kF16, 1, {8192, 32}},
};

INSTANTIATE_TEST_SUITE_P(Shapes, CachedAttention, testing::ValuesIn(kCases),
                         [](const auto& info) { return fmt::format("Case{}", info.index); });

}  // namespace
}  // namespace glint::roofline_test
