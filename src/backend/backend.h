// SPDX-License-Identifier: Apache-2.0
//
// What a model may ask of a machine. Immediate mode: a call computes (CPU) or enqueues (CUDA); there is no graph
// framework. `ref` (backend/ref.cpp) is the scalar oracle and defines the meaning of every op; cpu/ and cuda/ must
// agree with it. One thread at a time may use a Backend.
//
// Every op computes each output row from that row's inputs alone and in a fixed order, so a row's bits do not depend
// on the batch it sits in, on thread count or on cache placement.
//
// Out comes first, weights last. Out never aliases an input unless the op says so. All values are f32.
// Tested by tests/unit/backend (ref against formulas) and tests/unit/cpu (cpu against ref).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/blocks.h"
#include "backend/params.h"
#include "tensor/host_tensor.h"

namespace glint {

/// Memory of a backend; freed on destruction.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual void* data() const = 0;
  virtual size_t bytes() const = 0;
  float* floats() const { return static_cast<float*>(data()); }
};

/// The memory that a backend allocates from.
struct MachineMemory {
  bool is_host = true;        // the processor's, where files are mapped
  std::string device;         // as people are told: "CPU", "CUDA0 (NVIDIA H100 80GB HBM3)"
  int64_t total_bytes = 0;    // 0: not known
  int64_t free_bytes = 0;     // now
  int64_t reserve_bytes = 0;  // of the free ones: what the process will take besides allocations (kernels, graphs)
};

/// What a machine can do at best; 0: not known.
struct MachineLimits {
  double bytes_per_second = 0;  // from memory
  double flops_per_second = 0;  // of products of weights
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;

  // ---- the machine (backend.cpp: defaults for host memory) ----
  virtual MachineMemory memory() const;
  /// May measure, for up to a second.
  virtual MachineLimits limits() { return {}; }

  // ---- memory ----
  /// Throws Error that says how much was asked for. Contents undefined.
  virtual std::unique_ptr<Buffer> allocate(size_t bytes) = 0;
  /// Host memory that download() is fast to.
  virtual std::unique_ptr<Buffer> allocate_host(size_t bytes) { return allocate(bytes); }
  virtual void upload(void* destination, const void* host_source, size_t bytes) = 0;
  /// What allocate(bytes) really takes of the free memory.
  virtual int64_t allocation_bytes(int64_t bytes) const { return bytes; }
  /// Waits for all enqueued work.
  virtual void download(void* host_destination, const void* source, size_t bytes) = 0;
  /// Aliases, repacks or uploads a mapped tensor of 1 to 3 dims ([n_in], [n_out, n_in], [count, n_out, n_in]);
  /// `tensor.bytes` must outlive the weight. A 1-dim tensor becomes [1, n_in].
  virtual Weight import_weight(const HostTensor& tensor) = 0;
  /// Memory that the weight of a tensor of this format and shape will take (bytes may be empty), the pages of a mapped
  /// file included; and what importing any takes besides, until end_import().
  virtual int64_t weight_bytes(const HostTensor& tensor) const;
  virtual int64_t import_bytes() const { return 0; }
  /// All weights are imported.
  virtual void end_import() {}

  // ---- primitives ----
  /// out[t] = table[ids[t]] * scale. ids: [n_tokens] int32. PRECOND: 0 <= id < table.n_out.
  virtual void embed(Tensor out, const int32_t* ids, float scale, const Weight& table) = 0;
  /// out = x / sqrt(mean(x^2) + eps) * w over each head's width; w [1, width] f32. out may be x.
  virtual void rms_norm(Tensor out, Tensor x, float eps, const Weight& w) = 0;
  /// out += x. Shapes equal.
  virtual void add(Tensor out, Tensor x) = 0;
  /// out = x (any strides, equal shapes).
  virtual void copy(Tensor out, Tensor x) = 0;
  /// x = scale * x, then, where softcap > 0, softcap * tanh(x / softcap). In place.
  virtual void scale_softcap(Tensor x, float scale, float softcap) = 0;
  /// out [n, n_out] = x [n, n_in] . w^T + bias
  virtual void matmul(Tensor out, Tensor x, const Weight& w) = 0;
  /// Head by head: out[n, h, n_out] = x[n, h, n_in] . w[h]^T; w.count = n_heads (MLA's k_b and v_b).
  virtual void matmul_heads(Tensor out, Tensor x, const Weight& w) = 0;
  /// out[t * top_k + s] = x[row] . w[expert(t, s)]^T + bias, where row = t if x has n_tokens rows, t * top_k + s if it
  /// has n_tokens * top_k rows.
  virtual void matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) = 0;
  /// Rotates the first n_dims of every head of x in place; positions: [n_rows] int32.
  virtual void rope(Tensor x, const int32_t* positions, const RopeParams& params) = 0;
  /// Writes k [n, n_kv, d_k] and v [n, n_kv, d_v] (ignored when the layer has no V) to the cache, rounded to its
  /// format.
  virtual void kv_store(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) = 0;
  /// out [n, n_heads, d_v] from q [n, n_heads, d_k]; token t sees cached positions of its sequence up to its own.
  /// Query head h reads key/value head h / (n_heads / n_kv).
  virtual void attend(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) = 0;
  /// gate = act(gate) * up, in place. kGptOssSwiglu: g = min(gate, 7), u = clamp(up, -7, 7), g * sigmoid(1.702 g) * (u
  /// + 1).
  virtual void glu(Tensor gate, Tensor up, Activation activation) = 0;
  /// Chooses experts from router logits [n_tokens, n_experts]. NaN ranks below everything. Scores are rounded to f32
  /// before they are compared.
  virtual void route(const Routing& out, Tensor logits, const RouteParams& params) = 0;
  /// out[t] += sum over s of weight(t, s) * expert_out[t * top_k + s], in slot order.
  virtual void combine(Tensor out, Tensor expert_out, const Routing& routing) = 0;
  /// out[i] = x[rows[i]]; rows: [out.n_rows] int32.
  virtual void gather_rows(Tensor out, Tensor x, const int32_t* rows) = 0;
  /// The k largest values of each row with their places, in descending order; equal ones by place, NaN below
  /// everything. out: [x.n_rows, k]; 1 <= k <= kMostTop, k <= x.width.
  virtual void top(TopEntry* out, Tensor x, int k) = 0;
  /// Is that much cheaper than to download the rows?
  virtual bool prefers_top() const { return false; }

  // ---- fused ops: default bodies in blocks.cpp call the primitives; a backend overrides one only with a measurement
  // ----
  /// out += sum of the chosen experts' down(act(gate x) * up x).
  virtual void ffn_moe(Tensor out, Tensor x, const MoeWeights& w, const RouteParams& route_params,
                       Activation activation, MoeScratch& scratch);

  // ---- block ops: half a layer each, x += post_norm(f(norm(x))), x [n_tokens, d_model] ----
  /// f: grouped-query attention over `cache`, which is extended by the batch's rows.
  virtual void gqa_block(Tensor x, const BlockContext& block, const GqaShape& shape, const GqaWeights& weights,
                         const KvLayer& cache, const RopeParams& rope_params);
  /// f: multi-head latent attention, likewise.
  virtual void mla_block(Tensor x, const BlockContext& block, const MlaShape& shape, const MlaWeights& weights,
                         const KvLayer& cache, const RopeParams& rope_params);
  /// f: the gated feed-forward, down(act(gate x) * up x) (arXiv 2002.05202).
  virtual void glu_block(Tensor x, const BlockContext& block, const GluShape& shape, const GluWeights& weights);
  /// f: a mixture of experts with an optional shared one.
  virtual void moe_block(Tensor x, const BlockContext& block, const MoeShape& shape, const MoeLayerWeights& weights);

  // ---- steps ----
  /// Called once a layer after its weights are imported: a backend may add its own copies.
  virtual void adapt(MlaWeights&) {}
  /// Memory that adapt() will take for weights of these formats and shapes; their data is not looked at.
  virtual int64_t adapt_bytes(const MlaWeights&) const { return 0; }
  /// Memory that prepare() will take.
  virtual int64_t workspace_bytes(const StepLimits&) const { return 0; }
  /// Allocates all that steps within these limits need besides the decoder's scratch; nothing is allocated afterwards.
  /// Throws Error when memory does not suffice.
  virtual void prepare(const StepLimits&) {}
  /// Steps of up to this many tokens are recorded, each number of them when it comes a second time.
  virtual int recorded_tokens() const { return 0; }
  /// Runs body now, a step of n_tokens. A backend with recordable work may capture it the first time that it sees so many
  /// and replay after; all varying data must sit in the buffers of Batch.
  virtual void replay(int n_tokens, const std::function<void()>& body) {
    (void)n_tokens;
    body();
  }
};

/// The scalar oracle: plain loops, double accumulation, no threads. Slow on purpose.
std::unique_ptr<Backend> make_ref_backend();

}  // namespace glint
