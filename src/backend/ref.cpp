// SPDX-License-Identifier: Apache-2.0
//
// The scalar oracle: what every op of backend.h means, written as plain loops with double accumulation and one
// rounding to f32 at the end. Weights are used where they lie. Slow on purpose; the judge of cpu/ and cuda/ and the
// backend of `--backend ref`. Knows no model. Tested by tests/unit/backend.
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "backend/backend.h"
#include "backend/ref_attend.h"
#include "backend/ref_route.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

class RefBuffer final : public Buffer {
 public:
  explicit RefBuffer(size_t bytes) : bytes_(bytes) {
    data_ = ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
    if (data_ == nullptr) fail("cannot allocate {} bytes of memory", bytes);
  }
  RefBuffer(const RefBuffer&) = delete;
  RefBuffer& operator=(const RefBuffer&) = delete;
  ~RefBuffer() override { ::operator delete (data_, std::align_val_t{kAlignment}); }
  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  static constexpr size_t kAlignment = 64;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Row `row` of matrix `index` of w as floats.
std::vector<float> weight_row(const Weight& w, int index, int row) {
  GLINT_CHECK(index >= 0 && index < w.count && row >= 0 && row < w.n_out);
  std::vector<float> values(w.n_in);
  const int64_t which = static_cast<int64_t>(index) * w.n_out + row;
  dequantize(w.dtype, static_cast<const std::byte*>(w.data) + which * row_bytes(w.dtype, w.n_in), w.n_in,
             values.data());
  return values;
}

double dot(const std::vector<float>& w, const float* x) {
  double sum = 0;
  for (size_t i = 0; i < w.size(); ++i) sum += static_cast<double>(w[i]) * x[i];
  return sum;
}

double bias_of(const Weight& w, int index, int row) {
  return w.bias == nullptr ? 0.0 : w.bias[static_cast<int64_t>(index) * w.n_out + row];
}

bool same_shape(const Tensor& a, const Tensor& b) {
  return a.n_rows == b.n_rows && a.n_heads == b.n_heads && a.width == b.width;
}

/// Calls visit(row, head) for every head of x.
template <class Visit>
void for_each_head(const Tensor& x, Visit&& visit) {
  for (int r = 0; r < x.n_rows; ++r)
    for (int h = 0; h < x.n_heads; ++h) visit(r, h);
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

double activated(double gate, double up, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return gate * sigmoid(gate) * up;
    case Activation::kGeluTanh: {
      constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
      return 0.5 * gate * (1.0 + std::tanh(kSqrtTwoOverPi * (gate + 0.044715 * gate * gate * gate))) * up;
    }
    case Activation::kGptOssSwiglu: {
      const double g = std::fmin(gate, 7.0);
      const double u = std::fmax(-7.0, std::fmin(up, 7.0));
      return g * sigmoid(1.702 * g) * (u + 1.0);
    }
  }
  GLINT_CHECK(!"activation");
  return 0;
}

class RefBackend final : public Backend {
 public:
  std::string_view name() const override { return "ref"; }

  std::unique_ptr<Buffer> allocate(size_t bytes) override { return std::make_unique<RefBuffer>(bytes); }
  void upload(void* destination, const void* host_source, size_t bytes) override {
    if (bytes != 0) std::memcpy(destination, host_source, bytes);
  }
  void download(void* host_destination, const void* source, size_t bytes) override {
    if (bytes != 0) std::memcpy(host_destination, source, bytes);
  }

  Weight import_weight(const HostTensor& tensor) override {
    const size_t n_dims = tensor.dims.size();
    if (n_dims < 1 || n_dims > 3) fail("{}: {} dimensions, expected 1 to 3", tensor.name, n_dims);
    const auto dim = [&](size_t from_inner) {
      return from_inner < n_dims ? static_cast<int>(tensor.dims[n_dims - 1 - from_inner]) : 1;
    };
    if (!traits(tensor.dtype).is_weight)
      fail("{}: {} is not a format of weights", tensor.name, traits(tensor.dtype).name);
    const auto expected = static_cast<size_t>(row_bytes(tensor.dtype, tensor.elements()));
    if (tensor.bytes.size() != expected) fail("{}: {} bytes, expected {}", tensor.name, tensor.bytes.size(), expected);
    Weight w;
    w.dtype = tensor.dtype;
    w.count = dim(2);
    w.n_out = dim(1);
    w.n_in = dim(0);
    w.data = tensor.bytes.data();
    return w;
  }

  void embed(Tensor out, const int32_t* ids, float scale, const Weight& table) override {
    GLINT_CHECK(out.n_heads == 1 && out.width == table.n_in);
    for (int t = 0; t < out.n_rows; ++t) {
      const std::vector<float> row = weight_row(table, 0, ids[t]);
      for (int i = 0; i < out.width; ++i) out.row(t)[i] = row[i] * scale;
    }
  }

  void rms_norm(Tensor out, Tensor x, float eps, const Weight& w) override {
    GLINT_CHECK(same_shape(out, x) && w.n_in == x.width);
    const std::vector<float> weight = weight_row(w, 0, 0);
    for_each_head(x, [&](int r, int h) {
      const float* in = x.head(r, h);
      double squares = 0;
      for (int i = 0; i < x.width; ++i) squares += static_cast<double>(in[i]) * in[i];
      const double inverse = 1.0 / std::sqrt(squares / x.width + eps);
      for (int i = 0; i < x.width; ++i) out.head(r, h)[i] = static_cast<float>(in[i] * inverse * weight[i]);
    });
  }

  void add(Tensor out, Tensor x) override {
    GLINT_CHECK(same_shape(out, x));
    for_each_head(x, [&](int r, int h) {
      for (int i = 0; i < x.width; ++i) out.head(r, h)[i] += x.head(r, h)[i];
    });
  }

  void copy(Tensor out, Tensor x) override {
    GLINT_CHECK(same_shape(out, x));
    for_each_head(x, [&](int r, int h) {
      for (int i = 0; i < x.width; ++i) out.head(r, h)[i] = x.head(r, h)[i];
    });
  }

  void scale_softcap(Tensor x, float scale, float softcap) override {
    for_each_head(x, [&](int r, int h) {
      for (int i = 0; i < x.width; ++i) {
        double value = static_cast<double>(x.head(r, h)[i]) * scale;
        if (softcap > 0) value = softcap * std::tanh(value / softcap);
        x.head(r, h)[i] = static_cast<float>(value);
      }
    });
  }

  void matmul(Tensor out, Tensor x, const Weight& w) override {
    GLINT_CHECK(out.n_heads == 1 && x.n_heads == 1 && out.n_rows == x.n_rows && w.count == 1);
    GLINT_CHECK(out.width == w.n_out && x.width == w.n_in);
    for (int o = 0; o < w.n_out; ++o) {
      const std::vector<float> row = weight_row(w, 0, o);
      for (int t = 0; t < x.n_rows; ++t) out.row(t)[o] = static_cast<float>(dot(row, x.row(t)) + bias_of(w, 0, o));
    }
  }

  void matmul_heads(Tensor out, Tensor x, const Weight& w) override {
    GLINT_CHECK(out.n_rows == x.n_rows && out.n_heads == x.n_heads && x.n_heads == w.count);
    GLINT_CHECK(out.width == w.n_out && x.width == w.n_in);
    for (int h = 0; h < w.count; ++h)
      for (int o = 0; o < w.n_out; ++o) {
        const std::vector<float> row = weight_row(w, h, o);
        for (int t = 0; t < x.n_rows; ++t)
          out.head(t, h)[o] = static_cast<float>(dot(row, x.head(t, h)) + bias_of(w, h, o));
      }
  }

  void matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) override {
    const int n_slots = routing.n_tokens * routing.top_k;
    GLINT_CHECK(out.n_rows == n_slots && out.width == w.n_out && x.width == w.n_in);
    GLINT_CHECK(x.n_rows == routing.n_tokens || x.n_rows == n_slots);
    const bool row_per_token = x.n_rows == routing.n_tokens;
    for (int slot = 0; slot < n_slots; ++slot) {
      const int expert = routing.expert[slot];
      const float* in = x.row(row_per_token ? slot / routing.top_k : slot);
      for (int o = 0; o < w.n_out; ++o)
        out.row(slot)[o] = static_cast<float>(dot(weight_row(w, expert, o), in) + bias_of(w, expert, o));
    }
  }

  void rope(Tensor x, const int32_t* positions, const RopeParams& params) override {
    GLINT_CHECK(params.n_dims % 2 == 0 && params.n_dims <= x.width);
    const int half = params.n_dims / 2;
    for (int r = 0; r < x.n_rows; ++r)
      for (int i = 0; i < half; ++i) {
        // The angle is an f32 product because that is what models were trained with; at position 100,000 its rounding
        // is a visible fraction of a turn.
        const float angle = static_cast<float>(positions[r]) * params.inverse_frequency[i];
        const float cosine = static_cast<float>(std::cos(static_cast<double>(angle))) * params.scale;
        const float sine = static_cast<float>(std::sin(static_cast<double>(angle))) * params.scale;
        for (int h = 0; h < x.n_heads; ++h) {
          float& first = x.head(r, h)[params.interleaved ? 2 * i : i];
          float& second = x.head(r, h)[params.interleaved ? 2 * i + 1 : i + half];
          const double a = first;
          const double b = second;
          first = static_cast<float>(a * cosine - b * sine);
          second = static_cast<float>(a * sine + b * cosine);
        }
      }
  }

  void kv_store(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) override {
    store_rows(layer, k, v, batch);
  }

  void attend(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) override {
    attend_rows(out, q, layer, batch, params);
  }

  void glu(Tensor gate, Tensor up, Activation activation) override {
    GLINT_CHECK(same_shape(gate, up));
    for_each_head(gate, [&](int r, int h) {
      float* g = gate.head(r, h);
      const float* u = up.head(r, h);
      for (int i = 0; i < gate.width; ++i) g[i] = static_cast<float>(activated(g[i], u[i], activation));
    });
  }

  void route(const Routing& out, Tensor logits, const RouteParams& params) override {
    GLINT_CHECK(out.n_tokens == logits.n_rows && out.top_k == params.top_k);
    const auto top_k = static_cast<size_t>(params.top_k);
    for (int t = 0; t < out.n_tokens; ++t)
      route_token({logits.row(t), static_cast<size_t>(logits.width)}, params, {out.expert + t * top_k, top_k},
                  {out.weight + t * top_k, top_k});
  }

  void combine(Tensor out, Tensor expert_out, const Routing& routing) override {
    GLINT_CHECK(out.n_rows == routing.n_tokens && expert_out.n_rows == routing.n_tokens * routing.top_k);
    GLINT_CHECK(out.width == expert_out.width);
    for (int t = 0; t < out.n_rows; ++t)
      for (int i = 0; i < out.width; ++i) {
        double sum = out.row(t)[i];
        for (int s = 0; s < routing.top_k; ++s) {
          const int slot = t * routing.top_k + s;
          sum += static_cast<double>(routing.weight[slot]) * expert_out.row(slot)[i];
        }
        out.row(t)[i] = static_cast<float>(sum);
      }
  }

  void gather_rows(Tensor out, Tensor x, const int32_t* rows) override {
    GLINT_CHECK(out.n_heads == x.n_heads && out.width == x.width);
    for (int i = 0; i < out.n_rows; ++i) {
      GLINT_CHECK(rows[i] >= 0 && rows[i] < x.n_rows);
      copy(out.rows(i, 1), x.rows(rows[i], 1));
    }
  }

  void top(TopEntry* out, Tensor x, int k) override { top_of_rows(out, x, k); }
};

}  // namespace

std::unique_ptr<Backend> make_ref_backend() {
  return std::make_unique<RefBackend>();
}

}  // namespace glint
