// SPDX-License-Identifier: Apache-2.0
//
// The ops of backend.h on the CPU: shapes are checked here, the work is shared between the threads, the inner loops are
// kernels.h's. The larger ops are in matmul, attend, kv_rows and rope. Tested by tests/unit/cpu.
#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "backend/ref_route.h"
#include "base/memory.h"
#include "cpu/attend.h"
#include "cpu/kv_rows.h"
#include "cpu/limits.h"
#include "cpu/matmul.h"
#include "cpu/rope.h"
#include "cpu/unpack.h"
#include "cpu/workers.h"

namespace glint::cpu {
namespace {

class CpuBuffer final : public Buffer {
 public:
  explicit CpuBuffer(size_t bytes)
      : bytes_(bytes),
        data_(::operator new(bytes, kAlignment, std::nothrow)),
        promised_(static_cast<int64_t>(bytes), PromisedMemory::Kind::kAnonymous) {
    if (data_ == nullptr) fail("cannot allocate {} bytes of memory", bytes);
  }
  CpuBuffer(const CpuBuffer&) = delete;
  CpuBuffer& operator=(const CpuBuffer&) = delete;
  ~CpuBuffer() override { ::operator delete(data_, kAlignment); }
  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  size_t bytes_;
  void* data_;
  PromisedMemory promised_;
};

bool same_shape(const Tensor& a, const Tensor& b) {
  return a.n_rows == b.n_rows && a.n_heads == b.n_heads && a.width == b.width;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(int n_threads, int spins, CpuLevel level) : workers_(n_threads, spins, level) {}

  std::string_view name() const override { return "cpu"; }
  MachineLimits limits() override { return measure_limits(workers_); }

  std::unique_ptr<Buffer> allocate(size_t bytes) override { return std::make_unique<CpuBuffer>(bytes); }
  void upload(void* destination, const void* host_source, size_t bytes) override {
    if (bytes != 0) std::memcpy(destination, host_source, bytes);
  }
  void download(void* host_destination, const void* source, size_t bytes) override {
    if (bytes != 0) std::memcpy(host_destination, source, bytes);
  }
  Weight import_weight(const HostTensor& tensor) override;

  void embed(Tensor out, const int32_t* ids, float scale, const Weight& table) override;
  void rms_norm(Tensor out, Tensor x, float eps, const Weight& w) override;
  void add(Tensor out, Tensor x) override;
  void copy(Tensor out, Tensor x) override;
  void scale_softcap(Tensor x, float scale, float softcap) override;
  void matmul(Tensor out, Tensor x, const Weight& w) override;
  void matmul_heads(Tensor out, Tensor x, const Weight& w) override;
  void matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) override;
  void rope(Tensor x, const int32_t* positions, const RopeParams& params) override {
    rope_.run(x, positions, params, workers_);
  }
  void kv_store(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) override {
    store_kv(layer, k, v, batch, workers_);
  }
  void attend(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) override {
    attention_.run(out, q, layer, batch, params, workers_);
  }
  void glu(Tensor gate, Tensor up, Activation activation) override;
  void route(const Routing& out, Tensor logits, const RouteParams& params) override;
  void combine(Tensor out, Tensor expert_out, const Routing& routing) override;
  void gather_rows(Tensor out, Tensor x, const int32_t* rows) override;
  void top(TopEntry* out, Tensor x, int k) override;

 private:
  /// Calls visit(row, head) for every head of x; element_cost in nanoseconds.
  template <class Visit>
  void for_each_head(const Tensor& x, double element_cost, Visit&& visit) {
    workers_.share(static_cast<int64_t>(x.n_rows) * x.n_heads, element_cost * x.width,
                   [&](int64_t begin, int64_t end, int) {
                     for (int64_t i = begin; i < end; ++i) {
                       visit(static_cast<int>(i / x.n_heads), static_cast<int>(i % x.n_heads));
                     }
                   });
  }

  /// Row `row` of the weight's first matrix as f32, in place or expanded into row_.
  const float* weight_row(const Weight& w, int row);

  /// Makes groups_, inputs_ and outputs_ list the rows of each expert that has any.
  void group_by_expert(const Tensor& out, const Tensor& x, const Weight& w, const Routing& routing);

  const Kernels& kernels() const { return workers_.kernels; }

  Workers workers_;
  Attention attention_;
  Rope rope_;
  FloatArray row_;
  std::vector<RowGroup> groups_;
  std::vector<const float*> inputs_;
  std::vector<float*> outputs_;
  std::vector<int> next_;  // of each expert: where its next row goes
};

// ---- memory ----

Weight CpuBackend::import_weight(const HostTensor& tensor) {
  const size_t n_dims = tensor.dims.size();
  if (n_dims < 1 || n_dims > 3) fail("{}: {} dimensions, expected 1 to 3", tensor.name, n_dims);
  const DTypeTraits& type = traits(tensor.dtype);
  if (!type.is_weight) fail("{}: {} is not a format of weights", tensor.name, type.name);
  const auto dim = [&](size_t from_inner) {
    return from_inner < n_dims ? static_cast<int>(tensor.dims[n_dims - 1 - from_inner]) : 1;
  };
  Weight w;
  w.dtype = tensor.dtype;
  w.count = dim(2);
  w.n_out = dim(1);
  w.n_in = dim(0);
  if (w.n_in % type.block_elements != 0) {
    fail("{}: rows of {} elements, expected a multiple of {} for {}", tensor.name, w.n_in, type.block_elements,
         type.name);
  }
  const auto expected = static_cast<size_t>(row_bytes(tensor.dtype, tensor.elements()));
  if (tensor.bytes.size() != expected) fail("{}: {} bytes, expected {}", tensor.name, tensor.bytes.size(), expected);
  w.data = tensor.bytes.data();
  // f32 is used in place, as floats; a file may align its tensors by less.
  if (w.dtype == DType::kF32 && reinterpret_cast<uintptr_t>(w.data) % alignof(float) != 0) {
    auto aligned = std::make_shared<CpuBuffer>(expected);
    std::memcpy(aligned->data(), w.data, expected);
    w.data = aligned->data();
    w.owner = std::move(aligned);
  } else {  // where the file is mapped
    w.owner = std::make_shared<PromisedMemory>(static_cast<int64_t>(expected), PromisedMemory::Kind::kFile);
  }
  return w;
}

const float* CpuBackend::weight_row(const Weight& w, int row) {
  const std::byte* source = static_cast<const std::byte*>(w.data) + row * row_bytes(w.dtype, w.n_in);
  if (w.dtype == DType::kF32) return reinterpret_cast<const float*>(source);
  float* values = row_.reserve(w.n_in);
  unpack_function(w.dtype, workers_.level)(source, w.n_in, values);
  return values;
}

// ---- row by row ----

void CpuBackend::embed(Tensor out, const int32_t* ids, float scale, const Weight& table) {
  GLINT_CHECK(out.n_heads == 1 && out.width == table.n_in);
  const UnpackFunction unpack = unpack_function(table.dtype, workers_.level);
  const int64_t bytes = row_bytes(table.dtype, table.n_in);
  for_each_head(out, 0.2, [&](int t, int) {
    GLINT_CHECK(ids[t] >= 0 && ids[t] < table.n_out);
    unpack(static_cast<const std::byte*>(table.data) + ids[t] * bytes, table.n_in, out.row(t));
    if (scale != 1) kernels().scale(out.row(t), out.width, scale);
  });
}

void CpuBackend::rms_norm(Tensor out, Tensor x, float eps, const Weight& w) {
  GLINT_CHECK(same_shape(out, x) && w.n_in == x.width);
  const float* weight = weight_row(w, 0);
  for_each_head(x, 0.2, [&](int r, int h) {
    const float* in = x.head(r, h);
    const float mean = kernels().sum_of_squares(in, x.width) / static_cast<float>(x.width);
    kernels().scale_rows(out.head(r, h), in, x.width, 1.0f / std::sqrt(mean + eps), weight);
  });
}

void CpuBackend::add(Tensor out, Tensor x) {
  GLINT_CHECK(same_shape(out, x));
  for_each_head(x, 0.1, [&](int r, int h) { kernels().add(out.head(r, h), x.head(r, h), x.width); });
}

void CpuBackend::copy(Tensor out, Tensor x) {
  GLINT_CHECK(same_shape(out, x));
  for_each_head(x, 0.1, [&](int r, int h) { std::copy_n(x.head(r, h), x.width, out.head(r, h)); });
}

void CpuBackend::scale_softcap(Tensor x, float scale, float softcap) {
  for_each_head(x, softcap > 0 ? 1.0 : 0.1,
                [&](int r, int h) { kernels().scale_softcap(x.head(r, h), x.width, scale, softcap); });
}

void CpuBackend::glu(Tensor gate, Tensor up, Activation activation) {
  GLINT_CHECK(same_shape(gate, up));
  for_each_head(gate, 0.8,
                [&](int r, int h) { kernels().glu(gate.head(r, h), up.head(r, h), gate.width, activation); });
}

void CpuBackend::gather_rows(Tensor out, Tensor x, const int32_t* rows) {
  GLINT_CHECK(out.n_heads == x.n_heads && out.width == x.width);
  for_each_head(out, 0.1, [&](int r, int h) {
    GLINT_CHECK(rows[r] >= 0 && rows[r] < x.n_rows);
    std::copy_n(x.head(rows[r], h), x.width, out.head(r, h));
  });
}

void CpuBackend::top(TopEntry* out, Tensor x, int k) {
  if (k > 1) return top_of_rows(out, x, k);
  GLINT_CHECK(x.n_heads == 1 && x.width > 0);
  for_each_head(x, 0.5, [&](int r, int) {
    const float* values = x.row(r);
    const float* found = std::find(values, values + x.width, kernels().largest(values, x.width));
    if (found == values + x.width) found = values;  // all are NaN
    out[r] = {static_cast<int32_t>(found - values), *found};
  });
}

// ---- products ----

void CpuBackend::matmul(Tensor out, Tensor x, const Weight& w) {
  GLINT_CHECK(out.n_heads == 1 && x.n_heads == 1 && out.n_rows == x.n_rows && w.count == 1);
  GLINT_CHECK(out.width == w.n_out && x.width == w.n_in);
  matmul_heads(out, x, w);
}

void CpuBackend::matmul_heads(Tensor out, Tensor x, const Weight& w) {
  GLINT_CHECK(out.n_rows == x.n_rows && out.n_heads == x.n_heads && x.n_heads == w.count);
  GLINT_CHECK(out.width == w.n_out && x.width == w.n_in);
  groups_.clear();
  inputs_.clear();
  outputs_.clear();
  for (int h = 0; h < w.count; ++h) {
    groups_.push_back({h, h * x.n_rows, x.n_rows});
    for (int r = 0; r < x.n_rows; ++r) {
      inputs_.push_back(x.head(r, h));
      outputs_.push_back(out.head(r, h));
    }
  }
  multiply({w, groups_, inputs_.data(), outputs_.data()}, workers_);
}

void CpuBackend::group_by_expert(const Tensor& out, const Tensor& x, const Weight& w, const Routing& routing) {
  const int n_slots = routing.n_tokens * routing.top_k;
  next_.assign(static_cast<size_t>(w.count), 0);
  for (int slot = 0; slot < n_slots; ++slot) {
    GLINT_CHECK(routing.expert[slot] >= 0 && routing.expert[slot] < w.count);
    ++next_[static_cast<size_t>(routing.expert[slot])];
  }
  groups_.clear();
  int first = 0;
  for (int expert = 0; expert < w.count; ++expert) {
    int& next = next_[static_cast<size_t>(expert)];
    const int n_rows = next;
    if (n_rows != 0) groups_.push_back({expert, first, n_rows});
    next = first;
    first += n_rows;
  }
  inputs_.resize(static_cast<size_t>(n_slots));
  outputs_.resize(static_cast<size_t>(n_slots));
  const int slots_per_row = n_slots / x.n_rows;
  for (int slot = 0; slot < n_slots; ++slot) {
    const auto row = static_cast<size_t>(next_[static_cast<size_t>(routing.expert[slot])]++);
    inputs_[row] = x.row(slot / slots_per_row);
    outputs_[row] = out.row(slot);
  }
}

void CpuBackend::matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) {
  const int n_slots = routing.n_tokens * routing.top_k;
  GLINT_CHECK(out.n_rows == n_slots && out.width == w.n_out && x.width == w.n_in);
  GLINT_CHECK(x.n_rows == routing.n_tokens || x.n_rows == n_slots);
  if (n_slots == 0) return;
  group_by_expert(out, x, w, routing);
  multiply({w, groups_, inputs_.data(), outputs_.data()}, workers_);
}

// ---- experts ----

void CpuBackend::route(const Routing& out, Tensor logits, const RouteParams& params) {
  GLINT_CHECK(out.n_tokens == logits.n_rows && out.top_k == params.top_k);
  const auto top_k = static_cast<size_t>(params.top_k);
  for_each_head(logits, 20, [&](int t, int) {
    route_token({logits.row(t), static_cast<size_t>(logits.width)}, params, {out.expert + t * params.top_k, top_k},
                {out.weight + t * params.top_k, top_k});
  });
}

void CpuBackend::combine(Tensor out, Tensor expert_out, const Routing& routing) {
  GLINT_CHECK(out.n_rows == routing.n_tokens && expert_out.n_rows == routing.n_tokens * routing.top_k);
  GLINT_CHECK(out.width == expert_out.width);
  for_each_head(out, 0.1 * routing.top_k, [&](int t, int) {
    for (int slot = t * routing.top_k; slot < (t + 1) * routing.top_k; ++slot) {
      kernels().add_scaled(out.row(t), expert_out.row(slot), out.width, routing.weight[slot]);
    }
  });
}

}  // namespace
}  // namespace glint::cpu

namespace glint {

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  const int cores = available_cores();
  const int n_threads = options.n_threads > 0 ? options.n_threads : cores;
  // Threads that share a core must not spin: they would keep the one that works off it.
  const int spins = n_threads > cores ? 0 : ThreadPool::kDefaultSpins;
  const CpuLevel level = options.scalar_only ? CpuLevel::kScalar : cpu_level();
  return std::make_unique<cpu::CpuBackend>(n_threads, spins, level);
}

}  // namespace glint
