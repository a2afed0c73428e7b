// SPDX-License-Identifier: Apache-2.0
//
// Row-wise ops of the reference backend against numbers worked out by hand and closed formulas.
#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/unit/backend/op_case.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

class Ref : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend = make_ref_backend();
  /// A weight that lies in `values`.
  Weight weight(std::vector<float>& values, int count, int n_out, int n_in) {
    Weight w;
    w.count = count;
    w.n_out = n_out;
    w.n_in = n_in;
    w.data = values.data();
    return w;
  }
};
class RefRows : public Ref {};

TEST_F(RefRows, RmsNormDividesByTheRootMeanSquare) {
  std::vector<float> x = {3, 4, 0, 0};  // mean square 25 / 4
  std::vector<float> w = {1, 10, 1, 1};
  std::vector<float> out(4);
  backend->rms_norm(Tensor::matrix(out.data(), 1, 4), Tensor::matrix(x.data(), 1, 4), 0, weight(w, 1, 1, 4));
  EXPECT_THAT(out, ElementsAre(1.2f, 16.0f, 0, 0));
  // eps stands under the root: 1 / sqrt(6.25 + 2.75) = 1 / 3.
  backend->rms_norm(Tensor::matrix(out.data(), 1, 4), Tensor::matrix(x.data(), 1, 4), 2.75f, weight(w, 1, 1, 4));
  EXPECT_THAT(out, ElementsAre(1.0f, FloatNear(13.333333f, 1e-6f), 0, 0));
}

TEST_F(RefRows, RmsNormIsOfEachHeadAlone) {
  std::vector<float> x = {2, 2, 99, -5, -5, 99, 0, 0, 99, 7, 7, 99};  // [2, 2, 2] with gaps of one
  std::vector<float> w = {1, 3};
  const Tensor view{x.data(), 2, 2, 2, 6, 3};
  backend->rms_norm(view, view, 0, weight(w, 1, 1, 2));  // 0 / 0 in the third head
  EXPECT_THAT((std::vector<float>{x.begin(), x.begin() + 6}), ElementsAre(1, 3, 99, -1, -3, 99));
  EXPECT_THAT((std::vector<float>{x.begin() + 8, x.end()}), ElementsAre(99, 1, 3, 99));
}

TEST_F(RefRows, AddTouchesOnlyTheView) {
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<float> y = {10, 20};
  backend->add(Tensor::matrix(x.data(), 2, 3).columns(1, 1), Tensor::matrix(y.data(), 2, 1));
  EXPECT_THAT(x, ElementsAre(1, 12, 3, 4, 25, 6));
  backend->copy(Tensor::matrix(x.data(), 2, 3).rows(1, 1).columns(0, 2), Tensor::matrix(y.data(), 1, 2));
  EXPECT_THAT(x, ElementsAre(1, 12, 3, 10, 20, 6));
}

TEST_F(RefRows, ShapesMustAgree) {
  std::vector<float> x(6), y(6);
  EXPECT_THROW(backend->add(Tensor::matrix(x.data(), 2, 3), Tensor::matrix(y.data(), 3, 2)), InternalError);
  EXPECT_THROW(backend->copy(Tensor::matrix(x.data(), 1, 6), Tensor::matrix(y.data(), 1, 6).split_heads(2)),
               InternalError);
}

TEST_F(RefRows, ScaleThenSoftcap) {
  std::vector<float> x = {-4, 0, 4, 4000};
  backend->scale_softcap(Tensor::matrix(x.data(), 1, 4), 0.5f, 0);
  EXPECT_THAT(x, ElementsAre(-2, 0, 2, 2000));
  backend->scale_softcap(Tensor::matrix(x.data(), 1, 4), 0.5f, 30);
  // 30 tanh(1 / 30) and, far above the cap, 30.
  EXPECT_THAT(x, ElementsAre(FloatNear(-0.99962978f, 1e-7f), 0, FloatNear(0.99962978f, 1e-7f), 30));
}

TEST_F(RefRows, Activations) {
  const auto run = [&](float gate, float up, Activation activation) {
    backend->glu(Tensor::matrix(&gate, 1, 1), Tensor::matrix(&up, 1, 1), activation);
    return gate;
  };
  EXPECT_FLOAT_EQ(run(1, 2, Activation::kSilu), 1.46211716f);  // 2 / (1 + 1/e)
  EXPECT_FLOAT_EQ(run(-100, 2, Activation::kSilu), static_cast<float>(-200 * std::exp(-100.0)));
  EXPECT_FLOAT_EQ(run(0, 2, Activation::kSilu), 0);
  EXPECT_FLOAT_EQ(run(1, 1, Activation::kGeluTanh), 0.84119199f);  // by the tanh formula; erf's is 0.84134475
  EXPECT_FLOAT_EQ(run(-1, 1, Activation::kGeluTanh), -0.15880801f);
  // The gate is cut above at 7 and not below; up on both sides, and one is added to it.
  EXPECT_FLOAT_EQ(run(1, 1, Activation::kGptOssSwiglu), 1.69159150f);  // 2 / (1 + exp(-1.702))
  EXPECT_FLOAT_EQ(run(50, 50, Activation::kGptOssSwiglu), run(7, 7, Activation::kGptOssSwiglu));
  EXPECT_FLOAT_EQ(run(7, 7, Activation::kGptOssSwiglu), 55.9996257f);  // 56 / (1 + exp(-11.914))
  EXPECT_FLOAT_EQ(run(1, -50, Activation::kGptOssSwiglu), -6 * 0.84579575f);
  EXPECT_NEAR(run(-20, 1, Activation::kGptOssSwiglu), -40 * std::exp(-34.04), 1e-19);
}

TEST_F(RefRows, EmbedScalesARowOfTheTable) {
  std::vector<float> table = {1, 2, 3, 4, 5, 6};
  const std::vector<int32_t> ids = {2, 0, 2};
  std::vector<float> out(6);
  backend->embed(Tensor::matrix(out.data(), 3, 2), ids.data(), 10, weight(table, 1, 3, 2));
  EXPECT_THAT(out, ElementsAre(50, 60, 10, 20, 50, 60));
  const int32_t outside = 3;
  EXPECT_THROW(backend->embed(Tensor::matrix(out.data(), 1, 2), &outside, 1, weight(table, 1, 3, 2)), InternalError);
}

TEST_F(RefRows, GatherTakesRowsInTheOrderAsked) {
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<float> out(6);
  const std::vector<int32_t> rows = {2, 2, 0};
  backend->gather_rows(Tensor::matrix(out.data(), 3, 2), Tensor::matrix(x.data(), 3, 2), rows.data());
  EXPECT_THAT(out, ElementsAre(5, 6, 5, 6, 1, 2));
}

TEST_F(RefRows, TopTakesTheLowestOfEqualsFirst) {
  std::vector<float> x = {1, 7, 7, 0, -3, -3, -3, -3, 0, 0, 0, 9};
  std::vector<TopEntry> top(6);
  backend->top(top.data(), Tensor::matrix(x.data(), 3, 4), 2);
  std::vector<int> places;
  std::vector<float> values;
  for (const TopEntry& entry : top) {
    places.push_back(entry.index);
    values.push_back(entry.value);
  }
  EXPECT_THAT(places, ElementsAre(1, 2, 0, 1, 3, 0));
  EXPECT_THAT(values, ElementsAre(7, 7, -3, -3, 9, 0));
}

TEST_F(RefRows, TopNeverTakesNanBeforeANumber) {
  const float inf = INFINITY;
  std::vector<float> x = {NAN, -5,   -6,   // first
                          -6,  NAN,  -5,   // in the middle
                          -5,  -6,   NAN,  // last
                          NAN, -inf, -inf, NAN, NAN, NAN, -5, inf, NAN};
  std::vector<TopEntry> top(12);
  backend->top(top.data(), Tensor::matrix(x.data(), 6, 3), 2);
  std::vector<int> places;
  for (const TopEntry& entry : top) places.push_back(entry.index);
  EXPECT_THAT(places, ElementsAre(1, 2, 2, 0, 0, 1, 1, 2, 0, 1, 1, 0));
}

TEST_F(RefRows, CombineAddsSlotsByWeight) {
  std::vector<float> experts = {1, 2, 10, 20, 100, 200, 1000, 2000};  // [2 tokens * 2 slots, 2]
  std::vector<float> weights = {0.5f, 0.25f, 1, 2};
  std::vector<int32_t> ids(4);
  std::vector<float> out = {1, 1, 1, 1};
  backend->combine(Tensor::matrix(out.data(), 2, 2), Tensor::matrix(experts.data(), 4, 2),
                   {ids.data(), weights.data(), 2, 2});
  EXPECT_THAT(out, ElementsAre(1 + 0.5f + 2.5f, 1 + 1 + 5, 1 + 100 + 2000, 1 + 200 + 4000));
}

TEST_F(RefRows, MemoryIsAlignedAndCopied) {
  const auto buffer = backend->allocate(20);
  EXPECT_EQ(buffer->bytes(), 20u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
  const std::vector<float> values = {1, 2, 3, 4, 5};
  std::vector<float> back(5);
  backend->upload(buffer->data(), values.data(), 20);
  backend->download(back.data(), buffer->data(), 20);
  EXPECT_EQ(back, values);
  EXPECT_NO_THROW(backend->allocate(0));
}

TEST_F(RefRows, ImportSaysWhatIsWrong) {
  const std::vector<std::byte> bytes(64);
  const auto message = [&](HostTensor tensor) {
    try {
      backend->import_weight(tensor);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({"a", DType::kF32, {2, 2, 2, 2}, bytes}), "a: 4 dimensions, expected 1 to 3");
  EXPECT_EQ(message({"a", DType::kI32, {16}, bytes}), "a: I32 is not a format of weights");
  EXPECT_EQ(message({"a", DType::kF32, {4, 5}, bytes}), "a: 64 bytes, expected 80");
  const Weight w = backend->import_weight({"a", DType::kF32, {2, 4, 2}, bytes});
  EXPECT_EQ(w.count, 2);
  EXPECT_EQ(w.n_out, 4);
  EXPECT_EQ(w.n_in, 2);
  EXPECT_EQ(w.data, bytes.data());  // used where it lies
  EXPECT_EQ(backend->import_weight({"a", DType::kF32, {16}, bytes}).n_in, 16);
}

}  // namespace
}  // namespace glint::backend_test
