// SPDX-License-Identifier: Apache-2.0
//
// The instructions that CUDA C++ has no name for, one function each, and nothing else. Fragment layouts are those of
// the PTX ISA ("Matrix fragments for mma.m16n8k16 with floating point type"): lane l holds, of A [16, 16], rows l/4 and
// l/4 + 8, columns 2(l%4) + {0, 1} and those + 8, as a[0] = (row, low), a[1] = (row + 8, low), a[2] = (row, high),
// a[3] = (row + 8, high); of B [16, 8] column l/4, rows as A's columns; of D [16, 8] rows l/4 and l/4 + 8, columns
// 2(l%4) + {0, 1}. All lanes of a warp must call a collective together.
//
// tests/emulated_cuda/cuda/device/ptx.cuh is the same header for the emulated card.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace glint::cuda {

/// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  return reinterpret_cast<T*>(shared_bytes);
}

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// D += A B, f16 in, f32 sums.
__device__ __forceinline__ void mma_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four 8x8 matrices of 16-bit values; lanes 8i..8i+7 point to the rows of matrix i (16 bytes each, aligned).
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];\n"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2_transposed(uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];\n"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

/// Asynchronous copy of 16 bytes to shared memory; zeros where not valid (`from` must then still be a mapped address).
__device__ __forceinline__ void cp_async_16(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}
/// The same for data that a step reads once: on sm_90, whose L2 is the size of a layer, the first to leave it, so that
/// what is read again (code, activations, norms) stays while a whole model streams through. ptxas of CUDA 13.0 makes
/// instructions that sm_90 calls illegal from some uses of this (those that disassemble with desc[UR1]):
/// tools/check_sass.py looks for them.
__device__ __forceinline__ void cp_async_stream_16(void* to, const void* from) {
#if __CUDA_ARCH__ == 900
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;\n" : "=l"(policy));
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from),
               "l"(policy)
               : "memory");
#else
  cp_async_16(to, from);
#endif
}
__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
/// Waits until at most kGroupsLeft of this thread's groups are under way; others see the data after a barrier.
template <int kGroupsLeft>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kGroupsLeft) : "memory");
}

/// A barrier of `count` of the block's threads, in whole warps; `id` 1 to 15.
__device__ __forceinline__ void sync_some(int id, int count) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(count) : "memory");
}

/// Programmatic dependent launch (sm_90 and later). After let_next_kernel_start by all blocks the next kernel's blocks
/// may be scheduled where there is room, and start on what does not depend on this kernel. Until
/// wait_for_previous_kernel returns, which is when the kernel before has ended, nothing that it writes may be read and
/// nothing that it reads may be written. Every kernel waits, and lets the next start only after that: so whatever
/// kernels before the previous one wrote is there from the beginning. No-ops where the card has none.
__device__ __forceinline__ void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}
__device__ __forceinline__ void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

/// Loads of data that is read once a step: kept out of L1.
__device__ __forceinline__ uint4 load_once_16(const void* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}
__device__ __forceinline__ uint2 load_once_8(const void* from) {
  uint2 v;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];\n" : "=r"(v.x), "=r"(v.y) : "l"(from));
  return v;
}
__device__ __forceinline__ uint32_t load_once_4(const void* from) {
  uint32_t v;
  asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];\n" : "=r"(v) : "l"(from));
  return v;
}

/// Asks for the 128 bytes around an address to be brought into L2.
__device__ __forceinline__ void prefetch_to_l2(const void* from) {
  asm volatile("prefetch.global.L2 [%0];\n" ::"l"(from));
}

/// 2^x within 2^-22 of itself, 0 where that is denormal; 1 for 0.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

/// (a & mask) | bits in one instruction.
__device__ __forceinline__ uint32_t and_or(uint32_t a, uint32_t mask, uint32_t bits) {
  uint32_t r;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;\n" : "=r"(r) : "r"(a), "r"(mask), "r"(bits));
  return r;
}

}  // namespace glint::cuda
