// SPDX-License-Identifier: Apache-2.0
//
// Backend over the kernels: each primitive picks its launcher by the weight's format and the number of tokens. Blocks
// that have a faster way are in moe_block.cu and mla_block.cu; graphs in replay(). Tested by tests/unit/cuda.
#include "cuda/cuda_backend.h"

#include <cstring>
#include <map>
#include <set>

#include "base/check.h"
#include "cuda/attend.h"
#include "cuda/glu_block.h"
#include "cuda/gqa_block.h"
#include "cuda/kv_rows.h"
#include "cuda/matmul.h"
#include "cuda/matmul_f32.h"
#include "cuda/matvec.h"
#include "cuda/mla_block.h"
#include "cuda/moe_block.h"
#include "cuda/pack.h"
#include "cuda/route.h"
#include "cuda/row_ops.h"
#include "cuda/top.h"
#include "cuda/upload.h"
#include "cuda/workspace.h"

namespace glint {
namespace {

using namespace cuda;

/// Shared memory of a block on sm_86, sm_89 and sm_120.
constexpr size_t kGenericSharedBytes = 101376;

/// What the driver takes besides allocations once all kernels have run and steps are recorded.
constexpr int64_t kReserveBytes = 160LL << 20;

const float* floats(const Weight& w) {
  return static_cast<const float*>(w.data);
}

/// Multiply-adds of f16 with f32 sums count twice. Consumer cards of these generations sum in f32 at half the rate.
double tensor_flops_per_clock(const cudaDeviceProp& card) {
  const bool halved = std::strstr(card.name, "GeForce") != nullptr;
  switch (card.major * 10 + card.minor) {
    case 80:
      return 2048;
    case 90:
      return 4096;
    case 100:
    case 103:
      return 8192;
    default:
      return halved ? 512 : 1024;
  }
}

MachineLimits limits_of(int device, const cudaDeviceProp& card) {
  int clock_khz = 0, memory_khz = 0, bus_bits = 0;
  check(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device));
  check(cudaDeviceGetAttribute(&memory_khz, cudaDevAttrMemoryClockRate, device));
  check(cudaDeviceGetAttribute(&bus_bits, cudaDevAttrGlobalMemoryBusWidth, device));
  // Two transfers a clock.
  return {.bytes_per_second = 2.0 * memory_khz * 1e3 * bus_bits / 8,
          .flops_per_second = tensor_flops_per_clock(card) * card.multiProcessorCount * clock_khz * 1e3};
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(const CudaOptions& options, const cudaDeviceProp& card)
      : device_(options.device), card_(card), uploader_(stream_) {
    use_device();
    check(cudaStreamCreate(&stream_.handle));
    stream_.n_multiprocessors = card.multiProcessorCount;
    stream_.shared_bytes = options.generic_only ? kGenericSharedBytes : card.sharedMemPerBlockOptin;
    stream_.overlap = card.major >= 9 && !options.generic_only;
    stream_.is_hopper = card.major == 9 && !options.generic_only;
  }
  ~CudaBackend() override {
    cudaStreamSynchronize(stream_.handle);
    for (auto& [n_tokens, graph] : graphs_) cudaGraphExecDestroy(graph);
    uploader_.release();
    cudaStreamDestroy(stream_.handle);
  }
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  std::string_view name() const override { return "cuda"; }

  // ---- the machine ----
  MachineMemory memory() const override {
    return {.is_host = false,
            .device = fmt::format("CUDA{} ({})", device_, card_.name),
            .total_bytes = static_cast<int64_t>(card_.totalGlobalMem),
            .free_bytes = cuda_free_bytes(device_),
            .reserve_bytes = kReserveBytes};
  }
  MachineLimits limits() override { return limits_of(device_, card_); }

  // ---- memory ----
  std::unique_ptr<Buffer> allocate(size_t bytes) override {
    use_device();
    return std::make_unique<DeviceBuffer>(bytes);
  }
  std::unique_ptr<Buffer> allocate_host(size_t bytes) override {
    use_device();
    return std::make_unique<PinnedBuffer>(bytes);
  }
  int64_t allocation_bytes(int64_t bytes) const override { return cuda::allocation_bytes(bytes); }
  void upload(void* destination, const void* host_source, size_t bytes) override {
    use_device();
    check(cudaMemcpyAsync(destination, host_source, bytes, cudaMemcpyHostToDevice, stream_.handle));
  }
  void download(void* host_destination, const void* source, size_t bytes) override {
    use_device();
    check(cudaMemcpyAsync(host_destination, source, bytes, cudaMemcpyDeviceToHost, stream_.handle));
    check(cudaStreamSynchronize(stream_.handle));
  }
  Weight import_weight(const HostTensor& tensor) override { return uploader_.upload(tensor); }
  int64_t weight_bytes(const HostTensor& tensor) const override {
    return cuda::allocation_bytes(Uploader::device_bytes(tensor));
  }
  int64_t import_bytes() const override { return Uploader::ring_bytes(); }
  void end_import() override { uploader_.release(); }

  // ---- primitives ----
  void embed(Tensor out, const int32_t* ids, float scale, const Weight& table) override {
    if (table.dtype == DType::kF32) return embed_f32(stream_, out, ids, scale, floats(table));
    embed_packed(stream_, out, ids, scale, PackedMatrix(table));
  }
  void rms_norm(Tensor out, Tensor x, float eps, const Weight& w) override {
    cuda::rms_norm(stream_, out, x, eps, floats(w));
  }
  void add(Tensor out, Tensor x) override { cuda::add(stream_, out, x); }
  void copy(Tensor out, Tensor x) override { cuda::copy(stream_, out, x); }
  void scale_softcap(Tensor x, float scale, float softcap) override { cuda::scale_softcap(stream_, x, scale, softcap); }
  void matmul(Tensor out, Tensor x, const Weight& w) override { product(out, x, w); }
  void matmul_heads(Tensor out, Tensor x, const Weight& w) override { product(out, x, w); }
  void matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) override {
    const int slots_per_row = x.n_rows == routing.n_tokens ? routing.top_k : 1;
    if (w.dtype == DType::kF32) return matmul_f32_experts(stream_, out, x, w, routing.expert, slots_per_row);
    const int n_slots = routing.n_tokens * routing.top_k;
    int32_t* memory = workspace_.integers(stream_, group_integers(n_slots, w.count));
    const PackedMatrix matrix(w);
    const int tile_tokens = tokens_of_tile(stream_, n_slots, w.count, {matrix});
    const ExpertGroups groups = group_by_expert(stream_, routing, w.count, slots_per_row, tile_tokens, memory);
    matmul_grouped(stream_, {.out = out.data, .row_stride = out.row_stride, .head_stride = 0, .bias = w.bias},
                   halves_of(x), matrix, groups);
  }
  void rope(Tensor x, const int32_t* positions, const RopeParams& params) override {
    cuda::rope(stream_, x, positions, params);
  }
  void kv_store(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) override {
    cuda::kv_store(stream_, layer, k, v, batch);
  }
  void attend(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) override {
    cuda::attend(stream_, out, q, layer, batch, params, workspace_);
  }
  void glu(Tensor gate, Tensor up, Activation activation) override { cuda::glu(stream_, gate, up, activation); }
  void route(const Routing& out, Tensor logits, const RouteParams& params) override {
    cuda::route(stream_, out, logits, params);
  }
  void combine(Tensor out, Tensor expert_out, const Routing& routing) override {
    cuda::combine(stream_, out, expert_out, routing);
  }
  void gather_rows(Tensor out, Tensor x, const int32_t* rows) override { cuda::gather_rows(stream_, out, x, rows); }
  void top(TopEntry* out, Tensor x, int k) override { cuda::top(stream_, workspace_, out, x, k); }
  bool prefers_top() const override { return true; }

  // ---- blocks ----
  void mla_block(Tensor x, const BlockContext& block, const MlaShape& shape, const MlaWeights& weights,
                 const KvLayer& cache, const RopeParams& rope_params) override {
    if (cuda::mla_block({stream_, workspace_}, x, block, shape, weights, cache, rope_params)) return;
    Backend::mla_block(x, block, shape, weights, cache, rope_params);
  }
  void gqa_block(Tensor x, const BlockContext& block, const GqaShape& shape, const GqaWeights& weights,
                 const KvLayer& cache, const RopeParams& rope_params) override {
    if (cuda::gqa_block(stream_, workspace_, x, block, shape, weights, cache, rope_params)) return;
    Backend::gqa_block(x, block, shape, weights, cache, rope_params);
  }
  void glu_block(Tensor x, const BlockContext& block, const GluShape& shape, const GluWeights& weights) override {
    if (!cuda::glu_block(stream_, x, block, shape, weights)) Backend::glu_block(x, block, shape, weights);
  }
  void moe_block(Tensor x, const BlockContext& block, const MoeShape& shape, const MoeLayerWeights& weights) override {
    if (!cuda::moe_block(stream_, workspace_, x, block, shape, weights)) Backend::moe_block(x, block, shape, weights);
  }

  // ---- steps ----
  void adapt(MlaWeights& weights) override { adapt_mla(stream_, weights); }
  int64_t adapt_bytes(const MlaWeights& weights) const override { return adapt_mla_bytes(stream_, weights); }
  int64_t workspace_bytes(const StepLimits& limits) const override { return Workspace::bytes_for(limits); }
  void prepare(const StepLimits& limits) override { workspace_.reserve(stream_, limits); }
  int recorded_tokens() const override { return kMatvecTokens; }
  void replay(int n_tokens, const std::function<void()>& body) override {
    // Larger steps take launch shapes from the host and cost more than their launches.
    if (n_tokens > kMatvecTokens) return body();
    const auto found = graphs_.find(n_tokens);
    if (found != graphs_.end()) return check(cudaGraphLaunch(found->second, stream_.handle));
    // The first run is real: what is set up lazily (kernel attributes, module loads) must not happen while recording.
    if (warm_.insert(n_tokens).second) return body();
    check(cudaStreamBeginCapture(stream_.handle, cudaStreamCaptureModeThreadLocal));
    body();
    cudaGraph_t graph;
    check(cudaStreamEndCapture(stream_.handle, &graph));
    cudaGraphExec_t exec;
    check(cudaGraphInstantiate(&exec, graph));
    check(cudaGraphDestroy(graph));
    graphs_[n_tokens] = exec;
    check(cudaGraphLaunch(exec, stream_.handle));
  }

 private:
  /// What is current is a thread's own, and a model may be loaded by one thread and run by another; every step begins
  /// with an upload.
  void use_device() const { check(cudaSetDevice(device_)); }
  HalfRows halves_of(Tensor x) {
    const int64_t columns = half_columns(x.width);
    __half* to = workspace_.halves(stream_, x.n_rows * x.n_heads * columns);
    to_half(stream_, to, x, 1, nullptr, 0);
    return {.data = to, .row_stride = x.n_heads * columns, .head_stride = columns, .n_rows = x.n_rows};
  }
  void product(Tensor out, Tensor x, const Weight& w) {
    if (w.dtype == DType::kF32) return matmul_f32(stream_, out, x, w);
    const PackedMatrix matrix(w);
    if (x.n_rows > kMostInTurn) {
      return cuda::matmul(
          stream_, Store::kF32,
          {.out = out.data, .row_stride = out.row_stride, .head_stride = out.head_stride, .bias = w.bias}, halves_of(x),
          matrix, w.count);
    }
    matvec(stream_, {.out = out.data, .row_stride = out.row_stride, .head_stride = out.head_stride, .bias = w.bias},
           {.x = x.data, .row_stride = x.row_stride, .head_stride = x.head_stride, .n_tokens = x.n_rows}, matrix,
           w.count);
  }

  int device_;
  cudaDeviceProp card_;
  Stream stream_;
  Uploader uploader_;
  Workspace workspace_;
  std::map<int, cudaGraphExec_t> graphs_;  // by tokens of a step
  std::set<int> warm_;
};

}  // namespace

std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return {};
  }
  std::vector<CudaDevice> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp card{};
    if (cudaGetDeviceProperties(&card, i) != cudaSuccess) continue;
    devices.push_back({.index = i,
                       .name = card.name,
                       .total_bytes = static_cast<int64_t>(card.totalGlobalMem),
                       .compute_capability = card.major * 10 + card.minor});
  }
  return devices;
}

int64_t cuda_free_bytes(int device) {
  size_t free = 0;
  size_t total = 0;
  check(cudaSetDevice(device));
  check(cudaMemGetInfo(&free, &total));
  return static_cast<int64_t>(free);
}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  const std::vector<CudaDevice> devices = cuda_devices();
  if (devices.empty()) fail("no CUDA card answers; use --backend cpu, or check the driver with nvidia-smi");
  for (const CudaDevice& device : devices) {
    if (device.index != options.device) continue;
    if (device.compute_capability < kLeastComputeCapability) {
      fail("{} has compute capability {}.{}; glint needs 8.0 or later. Use --backend cpu", device.name,
           device.compute_capability / 10, device.compute_capability % 10);
    }
    cudaDeviceProp card{};
    check(cudaGetDeviceProperties(&card, device.index));
    return std::make_unique<CudaBackend>(options, card);
  }
  fail("there is no CUDA device {}; there are {} (from 0)", options.device, devices.size());
}

}  // namespace glint
