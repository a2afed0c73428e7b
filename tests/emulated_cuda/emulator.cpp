// SPDX-License-Identifier: Apache-2.0
//
// Fibers, barriers and the host API of the emulated card. See cuda_runtime.h.
#include <malloc.h>

#include <array>
#include <boost/context/fiber.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "cuda_runtime.h"

struct EmulatedGraph {
  std::vector<std::function<void()>> work;
};
struct EmulatedStream {
  EmulatedGraph* capturing = nullptr;
};

namespace emulated {
namespace {

namespace ctx = boost::context;
constexpr size_t kStackBytes = 128 << 10;
constexpr size_t kFence = 256;
constexpr unsigned char kFenceByte = 0xa5;
constexpr unsigned char kPoison = 0xff;  // NaN in every float format

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "emulated card: %s\n", what);
  std::abort();
}

/// Stacks are kept for the next block: there are hundreds a block, and the system would map and unmap each.
class PooledStacks {
 public:
  ctx::stack_context allocate() {
    ctx::stack_context stack;
    stack.size = kStackBytes;
    if (free_.empty()) {
      stack.sp = static_cast<char*>(std::malloc(kStackBytes)) + kStackBytes;
    } else {
      stack.sp = free_.back();
      free_.pop_back();
    }
    return stack;
  }
  void deallocate(ctx::stack_context& stack) { free_.push_back(stack.sp); }

 private:
  static inline std::vector<void*> free_;
};

struct PendingCopy {
  void* to;
  const void* from;
  bool valid;
};

struct Fiber {
  Thread info;
  ctx::fiber context;
  bool done = false;
  std::vector<std::vector<PendingCopy>> groups = {{}};  // the last is open
};

struct Warp {
  int arrived = 0;
  uint64_t generation = 0;
  alignas(16) std::byte slots[2][32 * 64];
};

/// Of some of a block's threads.
struct NamedBarrier {
  int arrived = 0;
  uint64_t generation = 0;
};

/// The block that runs now.
struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<std::byte> shared;
  ctx::fiber scheduler;
  Fiber* running = nullptr;
  int alive = 0;
  int arrived = 0;
  uint64_t generation = 0;
  uint64_t progress = 0;
  std::array<NamedBarrier, 16> named;
};
Block* block = nullptr;

void yield() {
  Fiber* self = block->running;
  block->scheduler = std::move(block->scheduler).resume();
  block->running = self;
  current = &self->info;
}

void check_fence(const std::byte* at, size_t bytes, const char* what) {
  for (size_t i = 0; i < bytes; ++i) {
    if (at[i] != std::byte{kFenceByte}) die(what);
  }
}

void release_barrier() {
  ++block->generation;
  ++block->progress;
  block->arrived = 0;
}

void land(const PendingCopy& copy) {
  if (copy.valid) {
    std::memcpy(copy.to, copy.from, 16);
  } else {
    std::memset(copy.to, 0, 16);
  }
}

}  // namespace

const Thread* current = nullptr;

void* dynamic_shared() {
  return block->shared.data() + (16 - reinterpret_cast<uintptr_t>(block->shared.data()) % 16) % 16;
}

void barrier() {
  const uint64_t mine = block->generation;
  if (++block->arrived == block->alive) return release_barrier();
  while (block->generation == mine) yield();
}

void barrier_of_some(int id, int count) {
  NamedBarrier& barrier = block->named.at(static_cast<size_t>(id));
  const uint64_t mine = barrier.generation;
  if (++barrier.arrived == count) {
    barrier.arrived = 0;
    ++barrier.generation;
    ++block->progress;
    return;
  }
  while (barrier.generation == mine) yield();
}

std::byte* exchange(const void* mine, size_t bytes, const std::function<void(std::byte*)>& once) {
  if (bytes > 64) die("an exchange of more than 64 bytes");
  Warp& warp = block->warps[static_cast<size_t>(current->warp)];
  const uint64_t generation = warp.generation;
  std::byte* slots = warp.slots[generation & 1];
  if (bytes > 0) std::memcpy(slots + 64 * current->lane, mine, bytes);
  if (++warp.arrived == 32) {
    if (once) once(slots);
    warp.arrived = 0;
    ++warp.generation;
    ++block->progress;
  } else {
    while (warp.generation == generation) yield();
  }
  return slots;
}

void copy_later(void* to, const void* from, bool valid) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || (valid && reinterpret_cast<uintptr_t>(from) % 16 != 0))
    die("cp.async is not aligned");
  block->running->groups.back().push_back({to, from, valid});
}
void commit_copies() {
  block->running->groups.emplace_back();
}
void wait_copies(int groups_left) {
  auto& groups = block->running->groups;
  while (static_cast<int>(groups.size()) - 1 > groups_left) {
    for (const PendingCopy& copy : groups.front()) land(copy);
    groups.erase(groups.begin());
  }
}

void run_grid(dim3 grid, dim3 block_dim, size_t shared_bytes, const std::function<void()>& kernel) {
  const unsigned n_threads = block_dim.x * block_dim.y * block_dim.z;
  if (n_threads % 32 != 0 || n_threads == 0 || n_threads > 1024) die("block size is no multiple of 32 up to 1024");
  if (shared_bytes > cudaDeviceProp{}.sharedMemPerBlockOptin) die("too much shared memory");
  static std::mt19937 shuffler(1);
  // What a block takes and gives back stays with the process.
  [[maybe_unused]] static const int kept = mallopt(M_MMAP_THRESHOLD, 1 << 30) + mallopt(M_TRIM_THRESHOLD, 1 << 30);
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        Block now;
        block = &now;
        now.shared.assign(shared_bytes + 16 + kFence, std::byte{kPoison});
        auto* shared_end = static_cast<std::byte*>(dynamic_shared()) + shared_bytes;
        std::memset(shared_end, kFenceByte, kFence - 16);
        now.fibers.resize(n_threads);
        now.warps.resize(n_threads / 32);
        now.alive = static_cast<int>(n_threads);
        std::vector<unsigned> order(n_threads);
        for (unsigned t = 0; t < n_threads; ++t) {
          order[t] = t;
          Fiber& fiber = now.fibers[t];
          fiber.info.thread = dim3(t % block_dim.x, t / block_dim.x % block_dim.y, t / (block_dim.x * block_dim.y));
          fiber.info.block = dim3(x, y, z);
          fiber.info.block_dim = block_dim;
          fiber.info.grid_dim = grid;
          fiber.info.lane = static_cast<int>(t % 32);
          fiber.info.warp = static_cast<int>(t / 32);
          fiber.context = ctx::fiber(std::allocator_arg, PooledStacks(), [&now, &fiber, &kernel](ctx::fiber&& back) {
            now.scheduler = std::move(back);
            now.running = &fiber;
            current = &fiber.info;
            kernel();
            fiber.done = true;
            ++now.progress;
            --now.alive;
            if (now.alive > 0 && now.arrived == now.alive) release_barrier();
            return std::move(now.scheduler);
          });
        }
        // Whole warps in random order; lanes of a warp one after another.
        std::vector<unsigned> warps(n_threads / 32);
        for (unsigned w = 0; w < warps.size(); ++w) warps[w] = w;
        while (now.alive > 0) {
          const uint64_t before = now.progress;
          std::shuffle(warps.begin(), warps.end(), shuffler);
          for (unsigned w : warps) {
            for (unsigned lane = 0; lane < 32; ++lane) {
              Fiber& fiber = now.fibers[w * 32 + lane];
              if (!fiber.done) fiber.context = std::move(fiber.context).resume();
            }
          }
          if (now.alive > 0 && now.progress == before) die("deadlock: threads wait for others that will not come");
        }
        check_fence(shared_end, kFence - 16, "a kernel wrote outside its shared memory");
        block = nullptr;
        current = nullptr;
      }
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  if (stream != nullptr && stream->capturing != nullptr) {
    stream->capturing->work.push_back(std::move(work));
  } else {
    work();
  }
}

/// Device allocations with their fences.
std::unordered_map<void*, size_t> allocations;
size_t memory_bytes = size_t{1} << 32;
size_t allocated = 0, most_allocated = 0;

/// What a card takes for an allocation.
size_t pieces(size_t bytes) {
  const size_t unit = bytes > (1 << 20) ? 2 << 20 : 512;
  return (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
}

}  // namespace emulated

using namespace emulated;

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "out of memory or not supported";
}
cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrGlobalMemoryBusWidth ? 256 : 1'000'000;
  return cudaSuccess;
}
void emulated_set_memory(size_t bytes) {
  memory_bytes = bytes;
  most_allocated = allocated;
}
size_t emulated_allocated_bytes() {
  return allocated;
}
size_t emulated_most_allocated_bytes() {
  return most_allocated;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = memory_bytes - allocated;
  *total = memory_bytes;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  if (allocated + pieces(bytes) > memory_bytes) return cudaErrorMemoryAllocation;
  auto* base = static_cast<std::byte*>(std::aligned_alloc(256, (bytes + 2 * kFence + 255) / 256 * 256));
  if (base == nullptr) return cudaErrorMemoryAllocation;
  std::memset(base, kFenceByte, kFence);
  std::memset(base + kFence, kPoison, bytes);
  std::memset(base + kFence + bytes, kFenceByte, kFence);
  *pointer = base + kFence;
  allocations[*pointer] = bytes;
  allocated += pieces(bytes);
  most_allocated = std::max(most_allocated, allocated);
  return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  auto* base = static_cast<std::byte*>(pointer) - kFence;
  check_fence(base, kFence, "a kernel wrote before an allocation");
  check_fence(base + kFence + allocations.at(pointer), kFence, "a kernel wrote behind an allocation");
  allocated -= pieces(allocations.at(pointer));
  allocations.erase(pointer);
  std::free(base);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  *pointer = std::malloc(bytes);
  return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* pointer) {
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  enqueue(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new EmulatedStream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->capturing = new EmulatedGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capturing, nullptr);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (auto& work : exec->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  static char an_event;
  *event = &an_event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t) {
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1;
  return cudaSuccess;
}
