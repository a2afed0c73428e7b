// SPDX-License-Identifier: Apache-2.0
//
// Ops that multiply no weights (row_ops.cu, route.cu, top.cu, kv_rows.cu, pack.cu's look-up) at the shapes of
// GLM-4.7-Flash and of a dense model like Llama 3 8B: against ref, and their share of the card's limit.
#include "tests/unit/backend/op_case.h"
#include "tests/unit/cuda_roofline/card.h"

namespace glint::roofline_test {
namespace {

using namespace backend_test;

/// The same values several times in a backend's memory.
template <class T>
class Sets {
 public:
  Sets(Backend& backend, int n_sets, const std::vector<T>& values)
      : backend_(&backend),
        n_values_(values.size()),
        stride_((values.size() + 63) / 64 * 64),
        buffer_(backend.allocate(static_cast<size_t>(n_sets) * stride_ * sizeof(T))) {
    for (int i = 0; i < n_sets; ++i) backend.upload((*this)[i], values.data(), n_values_ * sizeof(T));
  }
  T* operator[](int i) const { return static_cast<T*>(buffer_->data()) + static_cast<size_t>(i) * stride_; }
  std::vector<T> first() const {
    std::vector<T> values(n_values_);
    backend_->download(values.data(), buffer_->data(), n_values_ * sizeof(T));
    return values;
  }

 private:
  Backend* backend_;
  size_t n_values_, stride_;
  std::unique_ptr<Buffer> buffer_;
};

/// An op with sets of operands in one backend's memory.
struct Op {
  std::function<void(int set)> call;
  std::function<std::vector<float>()> result;  // of set 0
};

struct RowCase {
  std::string name;
  std::string shape;
  std::vector<int> n_rows;
  std::function<double(int n_rows)> bytes;
  std::function<Op(Backend&, int n_rows, int n_sets)> make;
  std::function<std::vector<double>(const std::vector<float>& expected)> bound;
};

void PrintTo(const RowCase& c, std::ostream* out) {
  *out << c.name;
}

std::vector<float> values(int64_t n, uint32_t seed, float scale = 1) {
  return random_values(static_cast<size_t>(n), seed, scale);
}

/// `op` changes target [n, n_heads, width], which is of this scale, with an operand of the same shape beside it and
/// moves so many floats for each of the target's.
template <class MakeCall>
RowCase elementwise(std::string name, int n_heads, int width, int moved, double relative, double absolute,
                    MakeCall make_call, float scale = 1) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const int64_t n = static_cast<int64_t>(n_rows) * n_heads * width;
    const auto target = std::make_shared<Sets<float>>(backend, n_sets, values(n, 31, scale));
    const auto operand = std::make_shared<Sets<float>>(backend, n_sets, values(n, 32, scale));
    const auto tensor = [=](float* data) { return Tensor::matrix(data, n_rows, n_heads * width).split_heads(n_heads); };
    const auto call = make_call(backend, n_rows);
    return Op{[=](int set) { call(tensor((*target)[set]), tensor((*operand)[set])); }, [=] { return target->first(); }};
  };
  return {std::move(name),
          n_heads > 1 ? fmt::format("{} x {}", n_heads, width) : std::to_string(width),
          {1, 32, 2048},
          [=](int n_rows) { return 4.0 * moved * n_rows * n_heads * width; },
          make,
          relative_bound(relative, absolute)};
}

/// An op that needs nothing besides target and operand.
template <class Call>
auto plain(Call call) {
  return [=](Backend& backend, int) {
    return [=, &backend](Tensor target, Tensor operand) { call(backend, target, operand); };
  };
}

auto norm_call(int width) {
  return [=](Backend& backend, int) {
    const auto owned = std::make_shared<OwnedTensor>(std::vector<int64_t>{width}, values(width, 38));
    const Weight w = backend.import_weight(owned->tensor());
    return [=, &backend](Tensor target, Tensor operand) {
      (void)owned;  // ref's weight lies in it
      backend.rms_norm(target, operand, 1e-5f, w);
    };
  };
}

auto rope_call(int n_dims, bool interleaved) {
  return [=](Backend& backend, int n_rows) {
    std::vector<float> frequencies;
    for (int i = 0; i < n_dims / 2; ++i)
      frequencies.push_back(std::pow(1e6f, -2.0f * static_cast<float>(i) / static_cast<float>(n_dims)));
    std::vector<int32_t> positions;
    for (int r = 0; r < n_rows; ++r) positions.push_back(8000 + r);
    const auto table = std::make_shared<DeviceFloats>(backend, frequencies);
    const auto at = std::make_shared<DeviceInts>(backend, positions);
    return [=, &backend](Tensor target, Tensor) {
      backend.rope(target, at->data(), {n_dims, interleaved, 1, table->data()});
    };
  };
}

RowCase embed_case(int full_vocab, int width) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const int n_vocab = on_card(full_vocab, 1000);
    static const OwnedTensor kTable(DType::kQ6_K, {n_vocab, width}, 33, 0.02f, 8);
    const Weight table = backend.import_weight(kTable.tensor());
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < static_cast<int64_t>(n_rows) * n_sets; ++i)
      ids.push_back(static_cast<int32_t>(i * 7919 % n_vocab));
    const auto chosen = std::make_shared<DeviceInts>(backend, ids);
    const auto out = std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * width, 34));
    return Op{[=, &backend](int set) {
                backend.embed(Tensor::matrix((*out)[set], n_rows, width), chosen->data() + set * n_rows, 1, table);
              },
              [=] { return out->first(); }};
  };
  return {"embed Q6_K",
          fmt::format("{} x {}", full_vocab, width),
          {1, 32, 2048},
          [=](int n_rows) { return n_rows * (4.0 * width + static_cast<double>(row_bytes(DType::kQ6_K, width))); },
          make,
          relative_bound(kEps, 0)};
}

RowCase gather_case(int width) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const int64_t n = static_cast<int64_t>(n_rows) * width;
    const auto x = std::make_shared<Sets<float>>(backend, n_sets, values(2 * n, 35));
    const auto out = std::make_shared<Sets<float>>(backend, n_sets, values(n, 36));
    std::vector<int32_t> rows;
    for (int r = 0; r < n_rows; ++r) rows.push_back((r * 17 + 1) % (2 * n_rows));
    const auto chosen = std::make_shared<DeviceInts>(backend, rows);
    return Op{[=, &backend](int set) {
                backend.gather_rows(Tensor::matrix((*out)[set], n_rows, width),
                                    Tensor::matrix((*x)[set], 2 * n_rows, width), chosen->data());
              },
              [=] { return out->first(); }};
  };
  return {"gather_rows", std::to_string(width), {1, 32, 128}, [=](int n_rows) { return 8.0 * n_rows * width; },
          make,          relative_bound(0, 0)};
}

/// A weighted sum of each token's top_k rows, added to what is there.
RowCase combine_case(int width, int top_k) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const int64_t n_slots = static_cast<int64_t>(n_rows) * top_k;
    const auto out = std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * width, 31));
    const auto x = std::make_shared<Sets<float>>(backend, n_sets, values(n_slots * width, 32));
    const auto weights = std::make_shared<DeviceFloats>(backend, values(n_slots, 33));
    const auto experts = std::make_shared<DeviceInts>(backend, std::vector<int32_t>(static_cast<size_t>(n_slots), 0));
    return Op{[=, &backend](int set) {
                backend.combine(Tensor::matrix((*out)[set], n_rows, width),
                                Tensor::matrix((*x)[set], static_cast<int>(n_slots), width),
                                {experts->data(), weights->data(), n_rows, top_k});
              },
              [=] { return out->first(); }};
  };
  // top_k products and sums, all below top_k + 1.
  return {"combine",     fmt::format("{} of {}", width, top_k),
          {1, 32, 2048}, [=](int n_rows) { return 4.0 * n_rows * width * (top_k + 2); },
          make,          relative_bound(0, 2 * top_k * (top_k + 1) * kEps)};
}

RowCase route_case(int n_experts, int top_k) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const auto logits =
        std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * n_experts, 51, 4));
    const auto bias = std::make_shared<DeviceFloats>(backend, values(n_experts, 52, 0.2f));
    const std::vector<int32_t> none(static_cast<size_t>(n_rows * top_k), -1);
    const auto experts = std::make_shared<DeviceInts>(backend, none);
    const auto weights = std::make_shared<DeviceFloats>(backend, std::vector<float>(none.size(), -1));
    const RouteParams params{Gate::kSigmoid, top_k, 1, 1, true, 1.8f, bias->data()};
    return Op{[=, &backend](int set) {
                (void)bias;
                backend.route({experts->data(), weights->data(), n_rows, top_k},
                              Tensor::matrix((*logits)[set], n_rows, n_experts), params);
              },
              [=] {
                std::vector<float> found = weights->download();
                for (const int32_t expert : experts->download()) found.push_back(static_cast<float>(expert));
                return found;
              }};
  };
  return {"route",       fmt::format("{} of {}", top_k, n_experts),
          {1, 32, 2048}, [=](int n_rows) { return 4.0 * n_rows * (n_experts + 2 * top_k); },
          make,          relative_bound((top_k + 16) * kEps, 0)};
}

RowCase top_case(int width, int k) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const auto x = std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * width, 37, 10));
    const auto out =
        std::make_shared<DeviceArray<TopEntry>>(backend, std::vector<TopEntry>(static_cast<size_t>(n_rows * k)));
    return Op{[=, &backend](int set) { backend.top(out->data(), Tensor::matrix((*x)[set], n_rows, width), k); },
              [=] {
                std::vector<float> found;
                for (const TopEntry& entry : out->download()) {
                  found.push_back(static_cast<float>(entry.index));
                  found.push_back(entry.value);
                }
                return found;
              }};
  };
  return {fmt::format("top {}", k),
          std::to_string(width),
          {1, 32, 128},
          [=](int n_rows) { return 4.0 * n_rows * width; },
          make,
          relative_bound(0, 0)};
}

RowCase kv_store_case(std::string name, DType dtype, int n_kv, int d_k, int d_v) {
  const auto make = [=](Backend& backend, int n_rows, int n_sets) {
    const auto batch = std::make_shared<PagedBatch>(backend, std::vector<SequenceLength>{{n_rows, n_rows}}, true);
    const KvLayer shape{nullptr, nullptr, dtype, dtype, n_kv, d_k, d_v};
    const auto bytes = [&](int width) {
      return std::vector<uint8_t>(static_cast<size_t>(batch->n_cache_rows() * row_bytes(dtype, n_kv * width)), 0);
    };
    const auto k_cache = std::make_shared<Sets<uint8_t>>(backend, n_sets, bytes(d_k));
    const auto v_cache = std::make_shared<Sets<uint8_t>>(backend, n_sets, bytes(d_v));
    const auto k =
        std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * n_kv * d_k, 21));
    const auto v =
        std::make_shared<Sets<float>>(backend, n_sets, values(static_cast<int64_t>(n_rows) * n_kv * d_v, 22));
    return Op{[=, &backend](int set) {
                KvLayer layer = shape;
                layer.k = (*k_cache)[set];
                layer.v = d_v > 0 ? (*v_cache)[set] : nullptr;
                backend.kv_store(layer, Tensor::matrix((*k)[set], n_rows, n_kv * d_k).split_heads(n_kv),
                                 d_v > 0 ? Tensor::matrix((*v)[set], n_rows, n_kv * d_v).split_heads(n_kv) : Tensor{},
                                 batch->batch());
              },
              [=] {
                std::vector<float> found;
                for (const auto& cache : {k_cache, v_cache}) {
                  for (const uint8_t byte : cache->first()) found.push_back(byte);
                }
                return found;
              }};
  };
  return {"kv_store " + std::string(traits(dtype).name),
          std::move(name),
          {1, 32, 2048},
          [=](int n_rows) {
            return n_rows * static_cast<double>(4 * n_kv * (d_k + d_v) + row_bytes(dtype, n_kv * (d_k + d_v)));
          },
          make,
          relative_bound(0, 0)};
}

/// Bounds as in op_cases_rows.h.
std::vector<RowCase> cases() {
  return {
      // `width` squares summed, halved by the root; then three roundings.
      elementwise("rms_norm", 1, 2048, 2, (2048 / 2 + 3) * kEps, 0, norm_call(2048)),
      elementwise("rms_norm", 32, 128, 2, (128 / 2 + 3) * kEps, 0, norm_call(128)),
      elementwise("add", 1, 2048, 3, kEps, 0, plain([](Backend& b, Tensor x, Tensor y) { b.add(x, y); })),
      elementwise("copy", 1, 4096, 2, 0, 0, plain([](Backend& b, Tensor x, Tensor y) { b.copy(x, y); })),
      elementwise("scale_softcap", 1, 4096, 2, 10 * kEps, 0,
                  plain([](Backend& b, Tensor x, Tensor) { b.scale_softcap(x, 1, 30); }), 50),
      elementwise("glu", 1, 10240, 3, 240 * kEps, 1e-13,
                  plain([](Backend& b, Tensor x, Tensor y) { b.glu(x, y, Activation::kSilu); }), 10),
      elementwise("rope interleaved", 20, 64, 2, 0, 16 * kEps, rope_call(64, true)),
      elementwise("rope halves", 32, 128, 2, 0, 16 * kEps, rope_call(128, false)),
      embed_case(154880, 2048),
      gather_case(2048),
      combine_case(2048, 4),
      route_case(64, 4),
      top_case(154880, 1),
      top_case(154880, 40),
      kv_store_case("576, latent", DType::kF16, 1, 576, 0),
      kv_store_case("8 x (128 + 128)", DType::kF16, 8, 128, 128),
      kv_store_case("8 x (128 + 128)", DType::kQ8_0, 8, 128, 128),
  };
}

class Rows : public KernelTest, public testing::WithParamInterface<RowCase> {};

TEST_P(Rows, AtFullShape) {
  const RowCase& c = GetParam();
  const auto ref = make_ref_backend();
  Card card;
  for (const int n_rows : is_emulated() ? std::vector{1, 3} : c.n_rows) {
    const int n_sets = card.copies_for(c.bytes(n_rows));
    const Op expected = c.make(*ref, n_rows, 1);
    const Op op = c.make(card.backend(), n_rows, n_sets);
    card.backend().end_import();
    expected.call(0);
    op.call(0);
    const std::vector<float> values = expected.result();
    EXPECT_TRUE(within(op.result(), values, c.bound(values))) << n_rows << " rows";
    card.measure({c.name, c.shape, n_rows}, {c.bytes(n_rows), 0}, n_sets, op.call);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Rows, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = fmt::format("{}_{}", info.param.name, info.index);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

}  // namespace
}  // namespace glint::roofline_test
