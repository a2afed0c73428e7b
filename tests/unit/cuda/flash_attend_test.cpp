// SPDX-License-Identifier: Apache-2.0
//
// Grouped-query attention on tensor cores against ref, at sizes around every tile's edge, and bit for bit however rows
// come: in a prompt, in pieces of one, alone, among other sequences.
#include <fmt/format.h>

#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

struct FlashCase {
  std::string name;
  DType k_dtype, v_dtype;
  int n_group, n_kv, d_head;
  int window = 0;
  float softcap = 0;
  bool sinks = false;
  int n_heads() const { return n_group * n_kv; }
};

const std::vector<FlashCase>& cases() {
  static const std::vector<FlashCase> all = {
      {"one_head_a_group", DType::kF16, DType::kF16, 1, 8, 128},
      {"two", DType::kBF16, DType::kBF16, 2, 8, 64},
      {"four", DType::kQ8_0, DType::kQ8_0, 4, 8, 64},
      {"five_capped", DType::kF16, DType::kF16, 5, 4, 96, 0, 0.5f},
      {"seven_windowed", DType::kF16, DType::kF16, 7, 4, 64, 70},
      {"eight_with_sinks_and_window", DType::kF16, DType::kF16, 8, 4, 64, 33, 0, true},
      {"twelve_with_sinks", DType::kF16, DType::kQ8_0, 12, 4, 64, 0, 0, true},
      {"sixteen", DType::kQ8_0, DType::kBF16, 16, 4, 64},
      {"twenty_four_windowed", DType::kF16, DType::kF16, 24, 4, 64, 1},
      {"wide", DType::kF16, DType::kF16, 2, 4, 256, 100, 0.3f},
      {"wide_q8_0", DType::kQ8_0, DType::kQ8_0, 1, 8, 256},
      {"q8_0_between_pieces", DType::kQ8_0, DType::kQ8_0, 3, 4, 96},
      {"q8_0_of_128", DType::kQ8_0, DType::kQ8_0, 1, 8, 128, 64},
  };
  return all;
}

/// Rows of one sequence in a step.
struct Piece {
  int sequence;
  int first;
  int n_rows;
};

constexpr int kSequences = 3;
constexpr int kPages = 4;
constexpr int kPositions = kPages * kPageTokens;

/// A backend with a cache for one case; queries, keys and values of each position of each sequence are given.
class Attention {
 public:
  Attention(std::unique_ptr<Backend> backend, const FlashCase& c)
      : backend_(std::move(backend)),
        case_(c),
        layer_{nullptr, nullptr, c.k_dtype, c.v_dtype, c.n_kv, c.d_head, c.d_head},
        // Rows that nobody stored are NaN where the format has it: reading one shows.
        k_(*backend_, std::vector<uint8_t>(static_cast<size_t>(kSequences * kPositions * layer_.k_row_bytes()), 0xff)),
        v_(*backend_, k_bytes(row_bytes(c.v_dtype, c.n_kv * c.d_head))),
        sinks_(*backend_, random_values(static_cast<size_t>(c.n_heads()), 4, 3)),
        pages_(*backend_, shuffled_pages()) {
    layer_.k = k_.data();
    layer_.v = v_.data();
  }

  /// Stores the pieces' keys and values and returns what their rows attend to, piece after piece.
  std::vector<std::vector<float>> step(const std::vector<Piece>& pieces) {
    std::vector<int32_t> positions, sequences;
    std::vector<Segment> segments;
    std::vector<float> q, k, v;
    for (const Piece& piece : pieces) {
      segments.push_back({piece.sequence, static_cast<int>(positions.size()), piece.n_rows, piece.first});
      for (int p = piece.first; p < piece.first + piece.n_rows; ++p) {
        positions.push_back(p);
        sequences.push_back(piece.sequence);
        const auto seed = static_cast<uint32_t>(3 * (piece.sequence * kPositions + p));
        append(q, random_values(static_cast<size_t>(case_.n_heads() * case_.d_head), seed, 2));
        append(k, random_values(static_cast<size_t>(case_.n_kv * case_.d_head), seed + 1, 2));
        append(v, random_values(static_cast<size_t>(case_.n_kv * case_.d_head), seed + 2));
      }
    }
    const int n = static_cast<int>(positions.size());
    const DeviceInts device_positions(*backend_, positions), device_sequences(*backend_, sequences);
    const Batch batch{.n_tokens = n,
                      .ids = nullptr,
                      .positions = device_positions.data(),
                      .sequences = device_sequences.data(),
                      .page_table = pages_.data(),
                      .max_pages = kPages,
                      .host_segments = segments};
    const DeviceFloats device_q(*backend_, q), device_k(*backend_, k), device_v(*backend_, v);
    const DeviceFloats out(*backend_, std::vector<float>(q.size(), NAN));
    const auto heads = [n](const DeviceFloats& x, int n_heads, int width) {
      return Tensor::matrix(x.data(), n, n_heads * width).split_heads(n_heads);
    };
    backend_->kv_store(layer_, heads(device_k, case_.n_kv, case_.d_head), heads(device_v, case_.n_kv, case_.d_head),
                       batch);
    backend_->attend(heads(out, case_.n_heads(), case_.d_head), heads(device_q, case_.n_heads(), case_.d_head), layer_,
                     batch,
                     {.scale = 1 / std::sqrt(static_cast<float>(case_.d_head)),
                      .softcap = case_.softcap,
                      .window = case_.window,
                      .sinks = case_.sinks ? sinks_.data() : nullptr});
    const std::vector<float> all = out.download();
    std::vector<std::vector<float>> parts;
    const auto width = static_cast<std::ptrdiff_t>(case_.n_heads()) * case_.d_head;
    for (const Segment& s : segments)
      parts.emplace_back(all.begin() + s.first_row * width, all.begin() + (s.first_row + s.n_rows) * width);
    return parts;
  }
  /// Makes room beforehand for any step of this file; returns what that was said to take.
  int64_t prepare() {
    const StepLimits limits{.max_tokens = kPositions,
                            .n_ctx = kPositions,
                            .n_sequences = kSequences,
                            .n_heads = case_.n_heads(),
                            .d_head = case_.d_head};
    backend_->prepare(limits);
    return backend_->workspace_bytes(limits);
  }
  /// Of one sequence, from its start, in steps of so many rows.
  std::vector<float> in_steps(int sequence, const std::vector<int>& steps) {
    std::vector<float> all;
    int at = 0;
    for (int n : steps) {
      append(all, step({{sequence, at, n}})[0]);
      at += n;
    }
    return all;
  }

 private:
  static void append(std::vector<float>& to, const std::vector<float>& more) {
    to.insert(to.end(), more.begin(), more.end());
  }
  static std::vector<uint8_t> k_bytes(size_t row) {
    return std::vector<uint8_t>(static_cast<size_t>(kSequences * kPositions) * row, 0xff);
  }
  static std::vector<int32_t> shuffled_pages() {
    std::vector<int32_t> pages(static_cast<size_t>(kSequences * kPages));
    for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int32_t>(i);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(7));
    return pages;
  }

  std::unique_ptr<Backend> backend_;
  FlashCase case_;
  KvLayer layer_;
  DeviceArray<uint8_t> k_, v_;
  DeviceFloats sinks_;
  DeviceInts pages_;
};

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += (static_cast<double>(got[i]) - expected[i]) * (static_cast<double>(got[i]) - expected[i]);
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  return std::isnan(error) ? HUGE_VAL : std::sqrt(error / norm);
}

/// Roundings to f16 are off by 2^-11 / sqrt(3) (mean square) at most, of independent terms. Queries and keys lie in
/// [-2, 2): a score has d_head products of mean square 16/9, scaled by 1 / sqrt(d_head), so rounding both moves it by
/// 4/3 sqrt(2) of that, and with it, relatively, a probability; the probability is rounded, and so is the value. Twice
/// the deviation: the mean is of thousands of values.
const double kTolerance = 2 * std::sqrt(2 * 16.0 / 9 + 1 + 1) * 0x1p-11 / std::sqrt(3.0);

class CudaFlash : public testing::TestWithParam<FlashCase> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  }
  static Attention cuda() { return {make_cuda_backend(), GetParam()}; }
};

TEST_P(CudaFlash, AgreesWithRef) {
  Attention ref(make_ref_backend(), GetParam());
  Attention fast = cuda();
  // The last of each is a step of a prompt's rows, of few rows, or of both; each sequence goes on where it was.
  const std::vector<std::vector<Piece>> steps = {
      {{0, 0, 1}},
      {{0, 1, 7}},
      {{1, 0, 63}},
      {{2, 0, 64}},
      {{0, 8, 1}, {1, 63, 65}, {2, 64, 3}},
      {{0, 9, 129}},
      {{2, 67, 127}, {0, 138, 2}, {1, 128, 1}},
  };
  for (const auto& pieces : steps) {
    const auto expected = ref.step(pieces);
    const auto got = fast.step(pieces);
    for (size_t i = 0; i < pieces.size(); ++i)
      EXPECT_LE(relative_error(got[i], expected[i]), kTolerance)
          << "sequence " << pieces[i].sequence << " from " << pieces[i].first;
  }
}

TEST_P(CudaFlash, ARowsBitsDependOnItAlone) {
  constexpr int kRows = 150;
  Attention whole = cuda();
  Attention cut = cuda();
  const std::vector<float> expected = whole.in_steps(0, {kRows});
  EXPECT_EQ(cut.in_steps(0, {64, 1, 7, 63, 1, 12, 2}), expected);
  Attention company = cuda();
  company.step({{1, 0, 66}});
  EXPECT_EQ(company.step({{1, 66, 1}, {0, 0, kRows}, {2, 0, 20}})[1], expected);
  EXPECT_EQ(company.step({{2, 20, 30}, {1, 67, 128}})[1], [] {
    Attention alone = cuda();
    alone.in_steps(1, {67});
    return alone.step({{1, 67, 128}})[0];
  }());
}

TEST_P(CudaFlash, TakesWhatIsPlannedAndNothingLater) {
  if (cuda_devices()[0].name != std::string("emulated")) GTEST_SKIP() << "a card gives memory in pieces";
  Attention attention = cuda();
  const int64_t before = cuda_free_bytes(0);
  const int64_t planned = attention.prepare();
  const int64_t ready = cuda_free_bytes(0);
  EXPECT_EQ(before - ready, planned);
  attention.step({{0, 0, 8}});
  attention.step({{0, 8, 64}, {1, 0, 30}, {2, 0, 1}});
  EXPECT_EQ(cuda_free_bytes(0), ready);
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaFlash, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace glint::backend_test
