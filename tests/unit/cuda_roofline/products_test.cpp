// SPDX-License-Identifier: Apache-2.0
//
// Products with weights (matvec.cu, matmul_few.cu, matmul.cu, matmul_experts.cu, matmul_f32.cu) at the shapes of
// GLM-4.7-Flash and of a dense model like Llama 3 8B: some outputs against sums in double over the unpacked weights,
// and their share of the card's limit.
#include <random>
#include <thread>

#include "tensor/dequantize.h"
#include "tests/unit/backend/operands.h"
#include "tests/unit/cuda_roofline/card.h"

namespace glint::roofline_test {
namespace {

using namespace backend_test;

enum class Kind { kDense, kHeads, kExperts, kExpertsOfSlots };

struct ProductCase {
  const char* name;
  Kind kind;
  DType dtype;
  int count, n_out, n_in;
  std::vector<int> n_rows;
};

void PrintTo(const ProductCase& c, std::ostream* out) {
  *out << c.name;
}

constexpr int kTopK = 4;
/// Choices of experts that calls take in turns: few tokens would find their experts in L2 the second time.
constexpr int kChoices = 16;

/// Which matrix and which row of x make a row of the output.
struct Source {
  int matrix;
  int x_row;
};

ProductCase for_this_card(ProductCase c) {
  if (!is_emulated()) return c;
  c.count = std::min(c.count, 6);
  c.n_out = std::min(c.n_out, 80);
  c.n_in = std::min(c.n_in, 512);
  c.n_rows = {1, 9};
  return c;
}

/// A product with all its operands in the card's memory.
class Product {
 public:
  explicit Product(const ProductCase& c)
      : c_(c), matrices_(c.dtype, {c.count, c.n_out, c.n_in}, 11, 1 / std::sqrt(static_cast<float>(c.n_in)), kThreads) {
    const int n_copies = card_.copies_for(static_cast<double>(matrices_.tensor().bytes.size()));
    for (int i = 0; i < n_copies; ++i) weights_.push_back(card_.backend().import_weight(matrices_.tensor()));
    card_.backend().end_import();
  }

  void run(int n_tokens) {
    n_tokens_ = n_tokens;
    n_x_ = c_.kind == Kind::kHeads            ? n_tokens * c_.count
           : c_.kind == Kind::kExpertsOfSlots ? n_tokens * kTopK
                                              : n_tokens;
    n_outputs_ = is_grouped() ? n_tokens * kTopK : n_x_;
    x_ = random_values(size(n_x_, c_.n_in), 12);
    choose_experts();
    const Operands operands{{card_.backend(), x_},
                            {card_.backend(), std::vector<float>(size(n_outputs_, c_.n_out), NAN)},
                            {card_.backend(), experts_},
                            {card_.backend(), std::vector<float>(size(n_tokens, kTopK), 1)}};
    multiply(operands, 0);
    check(operands.out.download());
    const int n_copies = static_cast<int>(weights_.size());
    card_.measure({fmt::format("{} {}", op_name(), traits(c_.dtype).name), shape_name(), n_tokens}, cost(),
                  is_grouped() ? std::max(n_copies, kChoices) : n_copies, [&](int i) { multiply(operands, i); });
  }

 private:
  struct Operands {
    DeviceFloats x, out;
    DeviceInts experts;
    DeviceFloats ones;
  };

  static size_t size(int n_rows, int width) { return static_cast<size_t>(n_rows) * static_cast<size_t>(width); }
  bool is_grouped() const { return c_.kind == Kind::kExperts || c_.kind == Kind::kExpertsOfSlots; }
  const char* op_name() const {
    return c_.kind == Kind::kDense ? "matmul" : c_.kind == Kind::kHeads ? "matmul_heads" : "matmul_experts";
  }
  std::string shape_name() const {
    const std::string stacked = c_.count > 1 ? fmt::format("{} x ", c_.count) : "";
    return fmt::format("{}: {}{} x {}", c_.name, stacked, c_.n_out, c_.n_in);
  }

  /// With the i-th copy of the weights or the i-th choice of experts.
  void multiply(const Operands& operands, int i) {
    Backend& backend = card_.backend();
    const Weight& w = weights_[static_cast<size_t>(i) % weights_.size()];
    const Tensor out = Tensor::matrix(operands.out.data(), n_outputs_, c_.n_out);
    const Tensor x = Tensor::matrix(operands.x.data(), n_x_, c_.n_in);
    if (c_.kind == Kind::kDense) return backend.matmul(out, x, w);
    if (c_.kind == Kind::kHeads) {
      const auto heads = [&](float* data, int width) {
        return Tensor::matrix(data, n_tokens_, c_.count * width).split_heads(c_.count);
      };
      return backend.matmul_heads(heads(out.data, c_.n_out), heads(x.data, c_.n_in), w);
    }
    int32_t* chosen = operands.experts.data() + i % kChoices * n_tokens_ * kTopK;
    backend.matmul_experts(out, x, w, {chosen, operands.ones.data(), n_tokens_, kTopK});
  }

  /// kChoices times a choice of different experts for each token.
  void choose_experts() {
    std::mt19937 random(13);
    std::vector<int32_t> all(static_cast<size_t>(c_.count));
    for (int e = 0; e < c_.count; ++e) all[static_cast<size_t>(e)] = e;
    experts_.clear();
    if (!is_grouped()) return;
    for (int i = 0; i < kChoices * n_tokens_; ++i) {
      std::shuffle(all.begin(), all.end(), random);
      experts_.insert(experts_.end(), all.begin(), all.begin() + kTopK);
    }
  }

  Source source_of(int output) const {
    switch (c_.kind) {
      case Kind::kDense:
        return {0, output};
      case Kind::kHeads:
        return {output % c_.count, output};
      case Kind::kExperts:
        return {experts_[static_cast<size_t>(output)], output / kTopK};
      case Kind::kExpertsOfSlots:
        break;
    }
    return {experts_[static_cast<size_t>(output)], output};
  }

  /// The weights that the first choice takes, once, and inputs and outputs.
  Cost cost() const {
    std::vector<bool> is_read(static_cast<size_t>(c_.count), !is_grouped());
    for (int output = 0; output < n_outputs_; ++output) is_read[static_cast<size_t>(source_of(output).matrix)] = true;
    const auto n_read = static_cast<double>(std::count(is_read.begin(), is_read.end(), true));
    const double values = static_cast<double>(x_.size()) + static_cast<double>(n_outputs_) * c_.n_out;
    return {n_read * c_.n_out * static_cast<double>(row_bytes(c_.dtype, c_.n_in)) + values * sizeof(float),
            2.0 * n_outputs_ * c_.n_out * c_.n_in};
  }

  /// First, middle and last rows; columns of the first and last tile and some between.
  void check(const std::vector<float>& out) const {
    std::vector<float> weights(static_cast<size_t>(c_.n_in));
    for (const int row : {0, n_outputs_ / 2, n_outputs_ - 1}) {
      const Source source = source_of(row);
      const float* input = x_.data() + static_cast<int64_t>(source.x_row) * c_.n_in;
      for (const int column : checked_columns()) {
        const auto matrix_row = static_cast<int64_t>(source.matrix) * c_.n_out + column;
        dequantize(c_.dtype, matrices_.tensor().bytes.data() + matrix_row * row_bytes(c_.dtype, c_.n_in), c_.n_in,
                   weights.data());
        check_value(out[static_cast<size_t>(static_cast<int64_t>(row) * c_.n_out + column)], input, weights, row,
                    column);
      }
    }
  }
  std::vector<int> checked_columns() const {
    std::vector<int> columns;
    for (int i = 0; i < 16; ++i) {
      columns.push_back(i);
      columns.push_back(static_cast<int>(static_cast<int64_t>(i) * c_.n_out / 16));
      columns.push_back(c_.n_out - 1 - i);
    }
    return columns;
  }

  /// Inputs are off by up to 2^-11 of themselves, weights by two such roundings of at most twice the row's largest
  /// (op_cases_products.h). Uniform and independent, they add up to the deviation below, of which six are allowed; sums
  /// in f32 add n_in roundings. F32 weights are multiplied as they are.
  void check_value(float got, const float* input, const std::vector<float>& weights, int row, int column) const {
    double sum = 0, magnitudes = 0, largest = 0, variance = 0;
    for (float w : weights) largest = std::max(largest, std::abs(static_cast<double>(w)));
    for (int i = 0; i < c_.n_in; ++i) {
      const double product = static_cast<double>(weights[static_cast<size_t>(i)]) * input[i];
      sum += product;
      magnitudes += std::abs(product);
      variance += product * product + 2 * std::pow(2 * largest * input[i], 2);
    }
    const double rounding = c_.dtype == DType::kF32 ? 0 : 0x1p-11 / std::sqrt(3.0);
    const double bound = 6 * rounding * std::sqrt(variance) + (c_.n_in + 4) * kEps * magnitudes;
    EXPECT_TRUE(std::abs(got - sum) <= bound) << c_.name << ", " << n_tokens_ << " tokens, row " << row << ", column "
                                              << column << ": " << got << ", expected " << sum << " within " << bound;
  }

  inline static const int kThreads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));

  Card card_;
  ProductCase c_;
  OwnedTensor matrices_;
  std::vector<Weight> weights_;  // copies of it on the card
  int n_tokens_ = 0;             // of this run, with what follows
  int n_x_ = 0;                  // rows of x
  int n_outputs_ = 0;            // and of the output
  std::vector<float> x_;
  std::vector<int32_t> experts_;  // [kChoices, n_tokens, kTopK]
};

class Products : public KernelTest, public testing::WithParamInterface<ProductCase> {};

TEST_P(Products, AtFullShape) {
  const ProductCase c = for_this_card(GetParam());
  Product product(c);
  for (const int n_tokens : c.n_rows) product.run(n_tokens);
}

const std::vector<int> kRows = {1, 8, 32, 128, 512, 2048};
const std::vector<ProductCase> kCases = {
    {"q_b", Kind::kDense, DType::kQ4_K, 1, 5120, 768, kRows},
    {"output", Kind::kDense, DType::kQ4_K, 1, 2048, 5120, kRows},
    {"head", Kind::kDense, DType::kQ6_K, 1, 154880, 2048, {1, 8, 32}},
    {"router", Kind::kDense, DType::kF32, 1, 64, 2048, kRows},
    {"k_b", Kind::kHeads, DType::kQ5_0, 20, 512, 192, {1, 8, 32, 512}},
    {"v_b", Kind::kHeads, DType::kQ4_K, 20, 256, 512, {1, 8, 32, 512}},
    {"experts", Kind::kExperts, DType::kQ4_K, 64, 1536, 2048, kRows},
    {"experts_down", Kind::kExpertsOfSlots, DType::kQ6_K, 64, 2048, 1536, kRows},
    {"dense_up", Kind::kDense, DType::kQ4_K, 1, 14336, 4096, kRows},
    {"dense_down", Kind::kDense, DType::kQ6_K, 1, 4096, 14336, kRows},
    {"dense_q4_0", Kind::kDense, DType::kQ4_0, 1, 4096, 4096, kRows},
    {"dense_q5_0", Kind::kDense, DType::kQ5_0, 1, 4096, 4096, kRows},
    {"dense_q5_k", Kind::kDense, DType::kQ5_K, 1, 4096, 4096, kRows},
    {"dense_q8_0", Kind::kDense, DType::kQ8_0, 1, 4096, 4096, kRows},
    {"dense_f16", Kind::kDense, DType::kF16, 1, 4096, 4096, kRows},
};

INSTANTIATE_TEST_SUITE_P(Shapes, Products, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace glint::roofline_test
