// SPDX-License-Identifier: Apache-2.0
//
// Blocks to f32 with AVX2. Eight values at a time: bytes widened straight from memory, masked and shifted as 32-bit
// numbers (cheaper than splitting nibbles first: 0.06 against 0.09 ns a weight of Q4_1 on Zen 3), converted, and scaled
// with one multiply or fused multiply-add. The fused form gives the scalar bits because every product is exact
// (tensor/blocks.h). Layouts are told there. Tested by tests/unit/cpu/unpack_test.cpp.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "cpu/kernels.h"
#include "cpu/unpack.h"
#include "tensor/blocks.h"
#include "tensor/tables/grids.h"

#if GLINT_HAS_AVX2_KERNELS
#include <immintrin.h>

GLINT_AVX2_BEGIN

namespace glint {
namespace {

// Where a member lies in the block at p; blocks are not aligned, so members are only read through unaligned loads.
#define GLINT_AT(Block, member) (p + offsetof(Block, member))

inline float half_at(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
/// Two adjacent halves, each in all lanes.
struct TwoHalves {
  __m256 first, second;
};
inline TwoHalves halves_at(const uint8_t* p) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  const __m128 both = _mm_cvtph_ps(_mm_cvtsi32_si128(bits));
  return {_mm256_broadcastss_ps(both), _mm256_broadcastss_ps(_mm_movehdup_ps(both))};
}
inline uint32_t word_at(const uint8_t* p) {
  uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}
inline __m256i bytes_at(const uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i signed_bytes_at(const uint8_t* p) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i masked(__m256i v, int mask) {
  return _mm256_and_si256(v, _mm256_set1_epi32(mask));
}
inline __m256i less(__m256i v, int offset) {
  return _mm256_sub_epi32(v, _mm256_set1_epi32(offset));
}

/// x = scale * q
inline void put(float* x, __m256i q, __m256 scale) {
  _mm256_storeu_ps(x, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(q)));
}
/// x = scale * q + offset
inline void put(float* x, __m256i q, __m256 scale, __m256 offset) {
  _mm256_storeu_ps(x, _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), offset));
}

template <class Format>
void unpack(const void* blocks, int64_t elements, float* out) {
  const auto* p = static_cast<const uint8_t*>(blocks);
  for (int64_t done = 0; done < elements; done += Format::Block::kElements, p += sizeof(typename Format::Block)) {
    Format::expand(p, out + done);
  }
}

void unpack_f16(const void* blocks, int64_t elements, float* out) {
  const auto* p = static_cast<const uint8_t*>(blocks);
  int64_t i = 0;
  for (; i + 8 <= elements; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2 * i))));
  }
  for (; i < elements; ++i) out[i] = half_at(p + 2 * i);
}

void unpack_bf16(const void* blocks, int64_t elements, float* out) {
  const auto* p = static_cast<const uint8_t*>(blocks);
  int64_t i = 0;
  for (; i + 8 <= elements; i += 8) {
    const __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2 * i)));
    _mm256_storeu_ps(out + i, _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16)));
  }
  for (; i < elements; ++i) out[i] = bf16_to_f32(static_cast<uint16_t>(p[2 * i] | p[2 * i + 1] << 8));
}

// ---- blocks of 32 ----

struct Q4_0 {
  using Block = BlockQ4_0;
  static void expand(const uint8_t* p, float* x) {
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    GLINT_UNROLL
    for (int i = 0; i < 16; i += 8) {
      const __m256i q = bytes_at(GLINT_AT(Block, q) + i);
      put(x + i, less(masked(q, 15), 8), d);
      put(x + 16 + i, less(_mm256_srli_epi32(q, 4), 8), d);
    }
  }
};

struct Q4_1 {
  using Block = BlockQ4_1;
  static void expand(const uint8_t* p, float* x) {
    const auto [d, m] = halves_at(GLINT_AT(Block, d));
    GLINT_UNROLL
    for (int i = 0; i < 16; i += 8) {
      const __m256i q = bytes_at(GLINT_AT(Block, q) + i);
      put(x + i, masked(q, 15), d, m);
      put(x + 16 + i, _mm256_srli_epi32(q, 4), d, m);
    }
  }
};

/// 16 where bit `first` + lane of `high` is set.
inline __m256i fifth_bits(uint32_t high, int first) {
  const __m256i bit = _mm256_sllv_epi32(_mm256_set1_epi32(1 << first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(high)), bit), bit);
  return masked(set, 16);
}

struct Q5_0 {
  using Block = BlockQ5_0;
  static void expand(const uint8_t* p, float* x) {
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    const uint32_t high = word_at(GLINT_AT(Block, high));
    GLINT_UNROLL
    for (int i = 0; i < 16; i += 8) {
      const __m256i q = bytes_at(GLINT_AT(Block, q) + i);
      put(x + i, less(_mm256_or_si256(masked(q, 15), fifth_bits(high, i)), 16), d);
      put(x + 16 + i, less(_mm256_or_si256(_mm256_srli_epi32(q, 4), fifth_bits(high, 16 + i)), 16), d);
    }
  }
};

struct Q5_1 {
  using Block = BlockQ5_1;
  static void expand(const uint8_t* p, float* x) {
    const auto [d, m] = halves_at(GLINT_AT(Block, d));
    const uint32_t high = word_at(GLINT_AT(Block, high));
    GLINT_UNROLL
    for (int i = 0; i < 16; i += 8) {
      const __m256i q = bytes_at(GLINT_AT(Block, q) + i);
      put(x + i, _mm256_or_si256(masked(q, 15), fifth_bits(high, i)), d, m);
      put(x + 16 + i, _mm256_or_si256(_mm256_srli_epi32(q, 4), fifth_bits(high, 16 + i)), d, m);
    }
  }
};

struct Q8_0 {
  using Block = BlockQ8_0;
  static void expand(const uint8_t* p, float* x) {
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    GLINT_UNROLL
    for (int i = 0; i < 32; i += 8) put(x + i, signed_bytes_at(GLINT_AT(Block, q) + i), d);
  }
};

/// 32 values levels[q], q nibble-split in the 16 bytes at p.
inline void expand_levels(const uint8_t* p, __m128i levels, __m256 scale, float* x) {
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i low = _mm_shuffle_epi8(levels, _mm_and_si128(q, mask));
  const __m128i high = _mm_shuffle_epi8(levels, _mm_and_si128(_mm_srli_epi16(q, 4), mask));
  put(x, _mm256_cvtepi8_epi32(low), scale);
  put(x + 8, _mm256_cvtepi8_epi32(_mm_srli_si128(low, 8)), scale);
  put(x + 16, _mm256_cvtepi8_epi32(high), scale);
  put(x + 24, _mm256_cvtepi8_epi32(_mm_srli_si128(high, 8)), scale);
}
inline __m128i levels_of(const void* sixteen) {
  return _mm_loadu_si128(static_cast<const __m128i*>(sixteen));
}

struct IQ4_NL {
  using Block = BlockIQ4_NL;
  static void expand(const uint8_t* p, float* x) {
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    expand_levels(GLINT_AT(Block, q), levels_of(tables::kIq4Values.data()), d, x);
  }
};

struct MXFP4 {
  using Block = BlockMXFP4;
  static void expand(const uint8_t* p, float* x) {
    const __m256 scale = _mm256_set1_ps(mxfp4_scale(*GLINT_AT(Block, exponent)));
    expand_levels(GLINT_AT(Block, q), levels_of(tables::kMxfp4Values.data()), scale, x);
  }
};

// ---- super-blocks of 256 ----

struct IQ4_XS {
  using Block = BlockIQ4_XS;
  static void expand(const uint8_t* p, float* x) {
    const Block block = load_block<Block>(p);
    const float d = half_at(GLINT_AT(Block, d));
    for (int group = 0; group < 8; ++group) {
      const __m256 scale = _mm256_set1_ps(d * static_cast<float>(group_scale(block, group)));
      expand_levels(GLINT_AT(Block, q) + 16 * group, levels_of(tables::kIq4Values.data()), scale, x + 32 * group);
    }
  }
};

/// Scales and (negated) minimums of the eight groups of a Q4_K or Q5_K block.
struct EightGroups {
  float scale[8];
  float offset[8];
};
template <class Block>
inline EightGroups eight_groups(const uint8_t* p) {
  // Groups 0-3 in the low six bits of two words; groups 4-7 in the nibbles of the third and those words' top bits.
  const uint32_t a = word_at(GLINT_AT(Block, scales));
  const uint32_t b = word_at(GLINT_AT(Block, scales) + 4);
  const uint32_t c = word_at(GLINT_AT(Block, scales) + 8);
  const uint32_t scales[2] = {a & 0x3f3f3f3fu, (c & 0x0f0f0f0fu) | ((a >> 2) & 0x30303030u)};
  const uint32_t mins[2] = {b & 0x3f3f3f3fu, ((c >> 4) & 0x0f0f0f0fu) | ((b >> 2) & 0x30303030u)};
  EightGroups groups;
  put(groups.scale, bytes_at(reinterpret_cast<const uint8_t*>(scales)), _mm256_set1_ps(half_at(GLINT_AT(Block, d))));
  put(groups.offset, bytes_at(reinterpret_cast<const uint8_t*>(mins)), _mm256_set1_ps(-half_at(GLINT_AT(Block, dmin))));
  return groups;
}

struct Q4_K {
  using Block = BlockQ4_K;
  static void expand(const uint8_t* p, float* x) {
    const EightGroups groups = eight_groups<Block>(p);
    for (int pair = 0; pair < 4; ++pair) {
      const __m256 low_scale = _mm256_set1_ps(groups.scale[2 * pair]);
      const __m256 low_offset = _mm256_set1_ps(groups.offset[2 * pair]);
      const __m256 high_scale = _mm256_set1_ps(groups.scale[2 * pair + 1]);
      const __m256 high_offset = _mm256_set1_ps(groups.offset[2 * pair + 1]);
      float* y = x + 64 * pair;
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i q = bytes_at(GLINT_AT(Block, q) + 32 * pair + i);
        put(y + i, masked(q, 15), low_scale, low_offset);
        put(y + 32 + i, _mm256_srli_epi32(q, 4), high_scale, high_offset);
      }
    }
  }
};

struct Q5_K {
  using Block = BlockQ5_K;
  static void expand(const uint8_t* p, float* x) {
    const EightGroups groups = eight_groups<Block>(p);
    for (int pair = 0; pair < 4; ++pair) {
      const __m256 low_scale = _mm256_set1_ps(groups.scale[2 * pair]);
      const __m256 low_offset = _mm256_set1_ps(groups.offset[2 * pair]);
      const __m256 high_scale = _mm256_set1_ps(groups.scale[2 * pair + 1]);
      const __m256 high_offset = _mm256_set1_ps(groups.offset[2 * pair + 1]);
      float* y = x + 64 * pair;
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i q = bytes_at(GLINT_AT(Block, q) + 32 * pair + i);
        // Bits 2 pair and 2 pair + 1 of the plane, moved to bits 4 and 5.
        const __m256i high = _mm256_srli_epi32(_mm256_slli_epi32(bytes_at(GLINT_AT(Block, high) + i), 4), 2 * pair);
        put(y + i, _mm256_or_si256(masked(q, 15), masked(high, 16)), low_scale, low_offset);
        const __m256i fifth = masked(_mm256_srli_epi32(high, 1), 16);
        put(y + 32 + i, _mm256_or_si256(_mm256_srli_epi32(q, 4), fifth), high_scale, high_offset);
      }
    }
  }
};

struct Q6_K {
  using Block = BlockQ6_K;
  static void expand(const uint8_t* p, float* x) {
    float scale[16];
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    put(scale, signed_bytes_at(GLINT_AT(Block, scales)), d);
    put(scale + 8, signed_bytes_at(GLINT_AT(Block, scales) + 8), d);
    for (int half = 0; half < 2; ++half) {
      const float* s = scale + 8 * half;
      float* y = x + 128 * half;
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i a = bytes_at(GLINT_AT(Block, low) + 64 * half + i);
        const __m256i b = bytes_at(GLINT_AT(Block, low) + 64 * half + 32 + i);
        const __m256i high = bytes_at(GLINT_AT(Block, high) + 32 * half + i);
        const __m256i q0 = _mm256_or_si256(masked(a, 15), masked(_mm256_slli_epi32(high, 4), 48));
        const __m256i q1 = _mm256_or_si256(masked(b, 15), masked(_mm256_slli_epi32(high, 2), 48));
        const __m256i q2 = _mm256_or_si256(_mm256_srli_epi32(a, 4), masked(high, 48));
        const __m256i q3 = _mm256_or_si256(_mm256_srli_epi32(b, 4), masked(_mm256_srli_epi32(high, 2), 48));
        const int group = i / 16;
        put(y + i, less(q0, 32), _mm256_set1_ps(s[group]));
        put(y + 32 + i, less(q1, 32), _mm256_set1_ps(s[group + 2]));
        put(y + 64 + i, less(q2, 32), _mm256_set1_ps(s[group + 4]));
        put(y + 96 + i, less(q3, 32), _mm256_set1_ps(s[group + 6]));
      }
    }
  }
};

struct Q2_K {
  using Block = BlockQ2_K;
  static void expand(const uint8_t* p, float* x) {
    float scale[16];
    float offset[16];
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    const __m256 minus_dmin = _mm256_set1_ps(-half_at(GLINT_AT(Block, dmin)));
    for (int i = 0; i < 16; i += 8) {
      const __m256i both = bytes_at(GLINT_AT(Block, scales) + i);
      put(scale + i, masked(both, 15), d);
      put(offset + i, _mm256_srli_epi32(both, 4), minus_dmin);
    }
    for (int part = 0; part < 8; ++part) {  // 32 elements
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i planes = bytes_at(GLINT_AT(Block, q) + 32 * (part / 4) + i);
        const int group = 2 * part + i / 16;
        put(x + 32 * part + i, masked(_mm256_srli_epi32(planes, 2 * (part % 4)), 3), _mm256_set1_ps(scale[group]),
            _mm256_set1_ps(offset[group]));
      }
    }
  }
};

struct Q3_K {
  using Block = BlockQ3_K;
  static void expand(const uint8_t* p, float* x) {
    const Block block = load_block<Block>(p);
    const float d = half_at(GLINT_AT(Block, d));
    float scale[16];
    for (int group = 0; group < 16; ++group) scale[group] = d * static_cast<float>(group_scale(block, group));
    for (int part = 0; part < 8; ++part) {
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i planes = bytes_at(GLINT_AT(Block, q) + 32 * (part / 4) + i);
        const __m256i low = masked(_mm256_srli_epi32(planes, 2 * (part % 4)), 3);
        const __m256i high =
            masked(_mm256_srli_epi32(_mm256_slli_epi32(bytes_at(GLINT_AT(Block, high) + i), 2), part), 4);
        put(x + 32 * part + i, less(_mm256_or_si256(low, high), 4), _mm256_set1_ps(scale[2 * part + i / 16]));
      }
    }
  }
};

struct TQ2_0 {
  using Block = BlockTQ2_0;
  static void expand(const uint8_t* p, float* x) {
    const __m256 d = _mm256_set1_ps(half_at(GLINT_AT(Block, d)));
    for (int part = 0; part < 8; ++part) {
      GLINT_UNROLL
      for (int i = 0; i < 32; i += 8) {
        const __m256i planes = bytes_at(GLINT_AT(Block, q) + 32 * (part / 4) + i);
        put(x + 32 * part + i, less(masked(_mm256_srli_epi32(planes, 2 * (part % 4)), 3), 1), d);
      }
    }
  }
};

#undef GLINT_AT

}  // namespace

UnpackFunction avx2_unpack_function(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return unpack_f16;
    case DType::kBF16:
      return unpack_bf16;
    case DType::kQ4_0:
      return unpack<Q4_0>;
    case DType::kQ4_1:
      return unpack<Q4_1>;
    case DType::kQ5_0:
      return unpack<Q5_0>;
    case DType::kQ5_1:
      return unpack<Q5_1>;
    case DType::kQ8_0:
      return unpack<Q8_0>;
    case DType::kQ2_K:
      return unpack<Q2_K>;
    case DType::kQ3_K:
      return unpack<Q3_K>;
    case DType::kQ4_K:
      return unpack<Q4_K>;
    case DType::kQ5_K:
      return unpack<Q5_K>;
    case DType::kQ6_K:
      return unpack<Q6_K>;
    case DType::kIQ4_NL:
      return unpack<IQ4_NL>;
    case DType::kIQ4_XS:
      return unpack<IQ4_XS>;
    case DType::kMXFP4:
      return unpack<MXFP4>;
    case DType::kTQ2_0:
      return unpack<TQ2_0>;
    default:
      return nullptr;  // the codebook formats: their time goes into table look-ups
  }
}

}  // namespace glint
GLINT_AVX2_END
#else
namespace glint {

UnpackFunction avx2_unpack_function(DType) {
  return nullptr;
}

}  // namespace glint
#endif
