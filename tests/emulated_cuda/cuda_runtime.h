// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for <cuda_runtime.h> that runs kernels on the CPU, so that every CUDA kernel is tested where there is no
// card. A block's threads are fibers (emulator.cpp) that switch at barriers and warp collectives, in an order shuffled
// from call to call, so that a missing barrier shows. Device memory is host memory, poisoned with NaN and fenced;
// copies of cp.async land only when they are waited for. Covers what src/cuda uses, nothing more.
//
// The .cu files are compiled as C++ with this folder first on the include path; cuda/device/ptx.cuh is replaced
// likewise. Speed is not modelled. Used by tests/unit/cuda alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __constant__ static const
#define __shared__ static
#define __align__(n) alignas(n)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
inline int4 make_int4(int x, int y, int z, int w) {
  return {x, y, z, w};
}
inline int2 make_int2(int x, int y) {
  return {x, y};
}

// ---- host API ----
enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorNotSupported = 801 };
struct EmulatedStream;
struct EmulatedGraph;
using cudaStream_t = EmulatedStream*;
using cudaGraph_t = EmulatedGraph*;
using cudaGraphExec_t = EmulatedGraph*;
using cudaEvent_t = void*;
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};
struct cudaDeviceProp {
  char name[256] = "emulated";
  size_t totalGlobalMem = size_t{1} << 32;
  int major = 8, minor = 0, multiProcessorCount = 8;
  size_t sharedMemPerBlockOptin = 101376;
  int l2CacheSize = 1 << 20;
  int memoryClockRate = 0, memoryBusWidth = 0, clockRate = 0;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
enum cudaDeviceAttr {
  cudaDevAttrClockRate = 13,
  cudaDevAttrMemoryClockRate = 36,
  cudaDevAttrGlobalMemoryBusWidth = 37
};
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
/// Memory of the emulated card, for tests; what is allocated counts in the pieces that a card takes.
void emulated_set_memory(size_t bytes);
size_t emulated_allocated_bytes();
size_t emulated_most_allocated_bytes();  // since the card had its memory set
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMallocHost(void** pointer, size_t bytes);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}

// ---- running a grid ----
namespace emulated {

/// What the running thread may ask of its block.
struct Thread {
  dim3 thread, block, block_dim, grid_dim;
  int lane = 0, warp = 0;
};
extern const Thread* current;
void* dynamic_shared();
void barrier();  // __syncthreads
void barrier_of_some(int id, int count);
/// Every lane of the warp gives `bytes` (at most 64); returns where all 32 lanes' lie, 64 bytes apart, until the next
/// exchange. `once` runs after the last has arrived, before any goes on.
std::byte* exchange(const void* mine, size_t bytes, const std::function<void(std::byte*)>& once = {});
void copy_later(void* to, const void* from, bool valid);  // cp.async of 16 bytes
void commit_copies();
void wait_copies(int groups_left);
void enqueue(cudaStream_t stream, std::function<void()> work);
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

}  // namespace emulated

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  const cudaLaunchConfig_t c = *config;
  auto bound = [kernel, ... held = Params(args)]() mutable { kernel(held...); };
  emulated::enqueue(c.stream,
                    [c, bound]() mutable { emulated::run_grid(c.gridDim, c.blockDim, c.dynamicSmemBytes, bound); });
  return cudaSuccess;
}

// ---- device side ----
namespace emulated {
/// `threadIdx` and its like: each coordinate reads what the running thread has.
template <dim3 Thread::*kWhich>
struct Index {
  template <unsigned dim3::*kAxis>
  struct Axis {
    operator unsigned() const { return (current->*kWhich).*kAxis; }
  };
  Axis<&dim3::x> x;
  Axis<&dim3::y> y;
  Axis<&dim3::z> z;
};
}  // namespace emulated
inline constexpr emulated::Index<&emulated::Thread::thread> threadIdx{};
inline constexpr emulated::Index<&emulated::Thread::block> blockIdx{};
inline constexpr emulated::Index<&emulated::Thread::block_dim> blockDim{};
inline constexpr emulated::Index<&emulated::Thread::grid_dim> gridDim{};
inline void __syncthreads() {
  emulated::barrier();
}
inline void __syncwarp(unsigned = 0xffffffff) {
  emulated::exchange(nullptr, 0);
}

template <class T>
T __shfl_sync(unsigned, T value, int from) {
  const std::byte* all = emulated::exchange(&value, sizeof value);
  T result;
  std::memcpy(&result, all + 64 * (from & 31), sizeof result);
  return result;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  return __shfl_sync(mask, value, emulated::current->lane ^ bits);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int by) {
  const int from = emulated::current->lane + by;
  return __shfl_sync(mask, value, from < 32 ? from : emulated::current->lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int by) {
  const int from = emulated::current->lane - by;
  return __shfl_sync(mask, value, from >= 0 ? from : emulated::current->lane);
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  const std::byte* all = emulated::exchange(&predicate, sizeof predicate);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) {
    int value;
    std::memcpy(&value, all + 64 * lane, sizeof value);
    if (value != 0) bits |= 1u << lane;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) != 0;
}
inline int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) == 0xffffffffu;
}

template <class T>
T atomicAdd(T* to, T value) {
  return std::exchange(*to, static_cast<T>(*to + value));
}
template <class T>
T atomicMax(T* to, T value) {
  return std::exchange(*to, std::max(*to, value));
}
inline void __threadfence() {}
template <class T>
T __ldg(const T* from) {
  return *from;
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fmaf_rn(float a, float b, float c) {
  return std::fma(a, b, c);
}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
using std::max;
using std::min;
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i)
    result |= static_cast<unsigned>(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return result;
}
