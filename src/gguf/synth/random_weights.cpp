// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/random_weights.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/half.h"

namespace glint::gguf {

namespace {

// A tensor is made in pieces of about this size, each from its own seed, so that threads can share the work and any
// range can be made again.
constexpr uint64_t kPieceBytes = 64 << 10;

// A range of a block's bytes that must not be random: its packed sub-block scales.
struct Fixed {
  int begin = 0, end = 0;
  uint8_t value = 0;
};

// Where a block keeps its f16 scale d, and what the values' deviation is when d is 1 and the other bits are random.
// A second f16 at min_at is min_ratio x d: it centres formats whose integers start at zero.
struct Layout {
  DType dtype;
  int scale_at;
  float unit_deviation;
  int min_at = -1;
  float min_ratio = 0;
  std::array<Fixed, 2> fixed = {};
};

// Deviations: uniform integers of 2^b steps have sqrt((4^b - 1) / 12) (4.61, 9.23, 73.9 for b = 4, 5, 8), times the
// fixed sub-block scale (8 or 32). The grids' were measured over a million random blocks.
constexpr Layout kLayouts[] = {
    {DType::kQ4_0, 0, 4.64f},
    {DType::kQ4_1, 0, 4.61f, 2, -7.5f},
    {DType::kQ5_0, 0, 9.25f},
    {DType::kQ5_1, 0, 9.23f, 2, -15.5f},
    {DType::kQ8_0, 0, 73.9f},
    {DType::kQ2_K, 80, 8 * 1.118f, 82, 1.5f, {{{0, 16, 0x88}}}},
    {DType::kQ3_K, 108, 8 * 2.345f, -1, 0, {{{96, 104, 0x88}, {104, 108, 0xaa}}}},
    {DType::kQ4_K, 0, 32 * 4.61f, 2, 7.5f, {{{4, 12, 0xa0}, {12, 16, 0}}}},
    {DType::kQ5_K, 0, 32 * 9.23f, 2, 15.5f, {{{4, 12, 0xa0}, {12, 16, 0}}}},
    {DType::kQ6_K, 208, 8 * 18.5f, -1, 0, {{{192, 208, 8}}}},
    {DType::kIQ2_XXS, 0, 53.3f},
    {DType::kIQ2_XS, 0, 55.9f},
    {DType::kIQ3_XXS, 0, 142.5f},
    {DType::kIQ1_S, 0, 7.21f},
    {DType::kIQ4_NL, 0, 67.4f},
    {DType::kIQ3_S, 0, 140.4f},
    {DType::kIQ2_S, 0, 56.4f},
    {DType::kIQ4_XS, 0, 8 * 67.4f, -1, 0, {{{2, 4, 0xaa}, {4, 8, 0x88}}}},
    {DType::kTQ1_0, 52, 0.816f},
    {DType::kTQ2_0, 64, 1.22f},
};
constexpr float kUnitDeviationIq1M = 7.19f;
constexpr float kUnitDeviationMxfp4 = 3.09f;

// xorshift64: quality is beside the point, speed is not (18 GB are made).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(scramble(seed) | 1) {}

  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  /// In [0, 1).
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
  /// Mean 0, deviation 1: the sum of two uniform numbers.
  float centred() {
    constexpr float kSpread = 2.44948974f;  // sqrt(6)
    const uint64_t bits = next();
    return (static_cast<float>(bits >> 40) * 0x1p-24f + static_cast<float>((bits >> 16) & 0xffffff) * 0x1p-24f - 1) *
           kSpread;
  }

 private:
  // Neighbouring seeds must not give neighbouring streams (the finaliser of splitmix64).
  static uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  uint64_t state_;
};

void fill_bits(Random& random, std::span<std::byte> out) {
  size_t i = 0;
  for (; i + 8 <= out.size(); i += 8) {
    const uint64_t bits = random.next();
    std::memcpy(&out[i], &bits, 8);
  }
  for (; i < out.size(); ++i) out[i] = static_cast<std::byte>(random.next());
}

void put_half(std::byte* at, float value) {
  const uint16_t bits = f32_to_f16(value);
  std::memcpy(at, &bits, sizeof bits);
}

// Real scales differ from block to block; so do these, by up to a quarter.
float jitter(Random& random) {
  return 0.75f + 0.5f * random.uniform();
}

void set_scales(const Layout& layout, float deviation, Random& random, std::span<std::byte> block) {
  for (const Fixed& fixed : layout.fixed) {
    std::fill(block.begin() + fixed.begin, block.begin() + fixed.end, std::byte{fixed.value});
  }
  const float scale = deviation / layout.unit_deviation * jitter(random);
  put_half(&block[static_cast<size_t>(layout.scale_at)], scale);
  if (layout.min_at >= 0) put_half(&block[static_cast<size_t>(layout.min_at)], scale * layout.min_ratio);
}

// The scale is a power of two, byte 0; rounded up or down at random it has the right size on average.
void set_mxfp4_scale(float deviation, Random& random, std::span<std::byte> block) {
  const float exponent = deviation > 0 ? std::log2(deviation / kUnitDeviationMxfp4) : -127.0f;
  block[0] = static_cast<std::byte>(std::clamp(std::floor(exponent + random.uniform()) + 127, 0.0f, 254.0f));
}

// The four nibbles of the f16 scale are the top nibbles of the four 16-bit words at 48.
void set_iq1_m_scale(float deviation, Random& random, std::span<std::byte> block) {
  const uint16_t bits = f32_to_f16(deviation / kUnitDeviationIq1M * jitter(random));
  for (size_t i = 0; i < 4; ++i) {
    std::byte& high = block[49 + 2 * i];
    high = (high & std::byte{0x0f}) | static_cast<std::byte>(((bits >> (4 * i)) & 15) << 4);
  }
}

void fill_blocks(const RandomWeights& weights, Random& random, std::span<std::byte> out) {
  fill_bits(random, out);
  const auto block_bytes = static_cast<size_t>(traits(weights.dtype).block_bytes);
  const auto* layout = std::ranges::find(kLayouts, weights.dtype, &Layout::dtype);
  for (size_t i = 0; i < out.size(); i += block_bytes) {
    const auto block = out.subspan(i, block_bytes);
    if (weights.dtype == DType::kMXFP4) {
      set_mxfp4_scale(weights.deviation, random, block);
    } else if (weights.dtype == DType::kIQ1_M) {
      set_iq1_m_scale(weights.deviation, random, block);
    } else {
      GLINT_CHECK(layout != std::end(kLayouts));
      set_scales(*layout, weights.deviation, random, block);
    }
  }
}

template <class T, class Convert>
void fill_floats(const RandomWeights& weights, Random& random, std::span<std::byte> out, Convert convert) {
  for (size_t i = 0; i < out.size(); i += sizeof(T)) {
    const T value = convert(weights.mean + weights.deviation * random.centred());
    std::memcpy(&out[i], &value, sizeof(T));
  }
}

// The `index`-th piece, whole.
void make_piece(const RandomWeights& weights, uint64_t index, std::span<std::byte> out) {
  Random random(weights.seed + index * 0x9e3779b97f4a7c15u);
  switch (weights.dtype) {
    case DType::kF32:
      return fill_floats<float>(weights, random, out, [](float value) { return value; });
    case DType::kF16:
      return fill_floats<uint16_t>(weights, random, out, f32_to_f16);
    case DType::kBF16:
      return fill_floats<uint16_t>(weights, random, out, f32_to_bf16);
    default:
      return fill_blocks(weights, random, out);
  }
}

class Filler {
 public:
  explicit Filler(const RandomWeights& weights) : weights_(weights) {
    const auto block = static_cast<uint64_t>(traits(weights.dtype).block_bytes);
    piece_bytes_ = kPieceBytes / block * block;
  }

  void operator()(uint64_t offset, std::span<std::byte> destination) const {
    const uint64_t first = offset / piece_bytes_;
    const uint64_t last = (offset + destination.size() + piece_bytes_ - 1) / piece_bytes_;
    std::atomic<uint64_t> next{first};
    const auto work = [&] {
      for (uint64_t piece = next++; piece < last; piece = next++) fill_piece(piece, offset, destination);
    };
    const auto helpers = std::min<uint64_t>(static_cast<uint64_t>(std::max(weights_.threads, 1)), last - first) - 1;
    std::vector<std::jthread> threads;
    for (uint64_t i = 0; i < helpers; ++i) threads.emplace_back(work);
    work();
  }

 private:
  // The part of one piece that lies in the range from `offset`.
  void fill_piece(uint64_t piece, uint64_t offset, std::span<std::byte> destination) const {
    const uint64_t begin = piece * piece_bytes_;
    const uint64_t size = std::min(piece_bytes_, weights_.n_bytes - begin);
    if (begin >= offset && begin + size <= offset + destination.size()) {
      return make_piece(weights_, piece, destination.subspan(begin - offset, size));
    }
    std::vector<std::byte> whole(size);
    make_piece(weights_, piece, whole);
    const uint64_t from = std::max(begin, offset);
    const uint64_t to = std::min(begin + size, offset + destination.size());
    std::memcpy(&destination[from - offset], &whole[from - begin], to - from);
  }

  RandomWeights weights_;
  uint64_t piece_bytes_ = 0;
};

}  // namespace

Writer::Fill random_weights(const RandomWeights& weights) {
  GLINT_CHECK(traits(weights.dtype).is_weight);
  return Filler(weights);
}

}  // namespace glint::gguf
