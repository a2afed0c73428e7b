// SPDX-License-Identifier: Apache-2.0
//
// The emulated counterpart of src/cuda/device/ptx.cuh: same names, same fragment layouts (PTX ISA, "Matrix fragments
// for mma.m16n8k16"), computed on the CPU.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace glint::cuda {

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulated::dynamic_shared());
}

inline float half_at(uint32_t pair, int which) {
  return f16_to_f32(static_cast<uint16_t>(pair >> (16 * which)));
}

inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Lane {
    uint32_t a[4];
    uint32_t b[2];
    float d[4];
  };
  const Lane mine{{a[0], a[1], a[2], a[3]}, {b0, b1}, {d[0], d[1], d[2], d[3]}};
  std::byte* all = emulated::exchange(&mine, sizeof mine, [](std::byte* lanes) {
    const auto lane = [&](int i) { return reinterpret_cast<Lane*>(lanes + 64 * i); };
    float wide_a[16][16];
    float wide_b[16][8];
    for (int l = 0; l < 32; ++l) {
      for (int r = 0; r < 4; ++r) {
        for (int h = 0; h < 2; ++h) {
          wide_a[l / 4 + 8 * (r & 1)][(l % 4) * 2 + h + 8 * (r / 2)] = half_at(lane(l)->a[r], h);
          if (r < 2) wide_b[(l % 4) * 2 + h + 8 * r][l / 4] = half_at(lane(l)->b[r], h);
        }
      }
    }
    for (int l = 0; l < 32; ++l) {
      for (int i = 0; i < 4; ++i) {
        const int row = l / 4 + 8 * (i / 2);
        const int column = (l % 4) * 2 + i % 2;
        double sum = lane(l)->d[i];
        for (int k = 0; k < 16; ++k) sum += static_cast<double>(wide_a[row][k]) * wide_b[k][column];
        lane(l)->d[i] = static_cast<float>(sum);
      }
    }
  });
  std::memcpy(d, reinterpret_cast<Lane*>(all + 64 * emulated::current->lane)->d, sizeof d);
}

/// The 8x8 matrices' rows lie where lanes 8i..8i+7 point.
template <int kCount>
void load_matrices(uint32_t (&r)[kCount], const void* row, bool transposed) {
  const std::byte* all = emulated::exchange(&row, sizeof row);
  const int lane = emulated::current->lane;
  for (int m = 0; m < kCount; ++m) {
    for (int h = 0; h < 2; ++h) {
      const int at_row = transposed ? (lane % 4) * 2 + h : lane / 4;
      const int column = transposed ? lane / 4 : (lane % 4) * 2 + h;
      const uint16_t* source;
      std::memcpy(&source, all + 64 * (8 * m + at_row), sizeof source);
      const uint32_t bits = source[column];
      r[m] = h == 0 ? bits : r[m] | bits << 16;
    }
  }
  __syncwarp();
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  load_matrices(r, row, false);
}
inline void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
  load_matrices(r, row, true);
}
inline void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
  load_matrices(r, row, false);
}
inline void ldmatrix_x2_transposed(uint32_t (&r)[2], const void* row) {
  load_matrices(r, row, true);
}

inline void cp_async_16(void* to, const void* from, bool valid = true) {
  emulated::copy_later(to, from, valid);
}
inline void cp_async_stream_16(void* to, const void* from) {
  emulated::copy_later(to, from, true);
}
inline void cp_async_commit() {
  emulated::commit_copies();
}
template <int kGroupsLeft>
void cp_async_wait() {
  emulated::wait_copies(kGroupsLeft);
}

inline void sync_some(int id, int count) {
  emulated::barrier_of_some(id, count);
}

inline void wait_for_previous_kernel() {}
inline void let_next_kernel_start() {}

inline uint4 load_once_16(const void* from) {
  return *static_cast<const uint4*>(from);
}
inline uint2 load_once_8(const void* from) {
  return *static_cast<const uint2*>(from);
}
inline uint32_t load_once_4(const void* from) {
  return *static_cast<const uint32_t*>(from);
}

inline void prefetch_to_l2(const void*) {}

inline float exp2_fast(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;
}

/// (a & mask) | bits
inline uint32_t and_or(uint32_t a, uint32_t mask, uint32_t bits) {
  return (a & mask) | bits;
}

}  // namespace glint::cuda
