// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_pair.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kMostWarps = 12;
constexpr int kMostParts = 8;   // a part's sums are added after those of the parts before it
constexpr int kMostStages = 4;  // quarters of tokens on their way to a warp
constexpr int kLeastStages = 2;
constexpr int kQuarterColumns = kTileColumns / 4;
constexpr int kPitch = kQuarterColumns + 8;  // of a token in shared memory: no two of eight tokens' chunks in one bank

/// A quarter's columns of a block's tokens.
template <int kEights>
using Tokens = __half[8 * kEights][kPitch];

/// How a block's warps share its work: n_groups pairs of rows of tiles, each by n_parts warps, of which each takes
/// every so manieth tile along the columns. Warps of one part have tokens in common, n_stages quarters of them.
struct Sharing {
  int n_parts;
  int n_groups;
  int n_stages;
};

/// A block's shared memory.
template <PackedFormat kFormat, int kEights>
struct Memory {
  using Weights = TilePair<kFormat>[2];  // of a warp: a unit's and the next one's
  Weights* weights;                      // [groups, parts]
  Tokens<kEights>* tokens;               // [parts, stages]
  int n_stages;
  static constexpr size_t bytes(const Sharing& sharing) {
    return static_cast<size_t>(sharing.n_parts) * (static_cast<size_t>(sharing.n_groups) * sizeof(Weights) +
                                                   static_cast<size_t>(sharing.n_stages) * sizeof(Tokens<kEights>));
  }
  __device__ __forceinline__ Memory(uint8_t* memory, const Sharing& sharing)
      : weights(reinterpret_cast<Weights*>(memory)),
        tokens(reinterpret_cast<Tokens<kEights>*>(weights + sharing.n_parts * sharing.n_groups)),
        n_stages(sharing.n_stages) {}
  __device__ __forceinline__ Tokens<kEights>& stage(int part, int step) const {
    return tokens[part * n_stages + step % n_stages];
  }
  /// A tile's sums lie where its weights were.
  __device__ __forceinline__ float4* sums(int warp, int unit) const {
    return reinterpret_cast<float4*>(weights[warp][unit % 2]);
  }
};

/// What a warp copies: steps (quarters) of its units (pairs of tiles), in ascending columns.
template <PackedFormat kFormat, Kind kKind, int kEights>
class Source {
 public:
  __device__ __forceinline__ Source(const MatmulArgs& args, int pair, int head, int first_token, int part, int n_parts)
      : part_(part), n_parts_(n_parts), n_blocks_(args.matrix[0].n_blocks) {
    const PackedMatrix& matrix = args.matrix[0];
    n_quarters_ = (matrix.n_in + kQuarterColumns - 1) / kQuarterColumns;
    n_tokens_ = min(8 * kEights, args.x.n_rows - first_token);
    x_ = args.x.data + first_token * args.x.row_stride + head * args.x.head_stride;
    x_stride_ = args.x.row_stride;
    const int64_t row_bytes = static_cast<int64_t>(n_blocks_) * tile_layout(kFormat).bytes();
    const int64_t first_row = static_cast<int64_t>(head) * matrix.n_row_tiles;
#pragma unroll
    for (int m = 0; m < 2; ++m) {  // rows past the end are computed from the last one and not stored
      const int row = min(kKind == Kind::kGlu ? pair : 2 * pair + m, matrix.n_row_tiles - 1);
      from_[m] = args.matrix[kKind == Kind::kGlu ? m : 0].tiles + (first_row + row) * row_bytes;
    }
  }
  __device__ __forceinline__ bool has_unit(int unit) const {
    return tile_of(unit) < n_blocks_;
  }
  __device__ __forceinline__ bool has_step(int step) const {
    return quarter_of(step) < n_quarters_;
  }
  __device__ __forceinline__ void copy_weights(TilePair<kFormat>& to, int unit, int lane) const {
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      copy_tile<kFormat, false>(to[m], from_[m] + static_cast<int64_t>(tile_of(unit)) * tile_layout(kFormat).bytes(),
                                lane);
    }
  }
  /// The warp's share of a part's tokens: every n_groups-th four.
  __device__ __forceinline__ void copy_tokens(Tokens<kEights>& to, int step, int group, int n_groups, int lane) const {
    const __half* from = x_ + quarter_of(step) * kQuarterColumns + lane % 8 * 8;
#pragma unroll 1
    for (int token = group * 4 + lane / 8; token < n_tokens_; token += n_groups * 4)
      cp_async_16(&to[token][lane % 8 * 8], from + token * x_stride_);
  }

 private:
  __device__ __forceinline__ int tile_of(int unit) const {
    return part_ + unit * n_parts_;
  }
  __device__ __forceinline__ int quarter_of(int step) const {
    return tile_of(step / 4) * 4 + step % 4;
  }

  const __half* x_;
  int64_t x_stride_;
  const uint8_t* from_[2];
  int part_, n_parts_, n_blocks_, n_quarters_, n_tokens_;
};

/// Waits until all but the last n_stages - 2 groups of this thread's copies are there.
__device__ __forceinline__ void wait_for_oldest(int n_stages) {
  if (n_stages == kMostStages) {
    cp_async_wait<kMostStages - 2>();
  } else if (n_stages == kMostStages - 1) {
    cp_async_wait<kMostStages - 3>();
  } else {
    cp_async_wait<kLeastStages - 2>();
  }
}

/// Grid: (tiles of tokens, groups of pairs of rows of tiles, of the first product, then of the second, stacked
/// matrices).
template <PackedFormat kFormat, Kind kKind, Store kStore, int kEights>
__global__ void __launch_bounds__(kMostWarps * 32)
    matmul_short_kernel(const __grid_constant__ MatmulPair pair_args, int n_first_groups, Sharing sharing) {
  static_assert(kLeastStages == kMostStages - 2);
  static_assert(sizeof(PairSums<kEights>) * 32 <= sizeof(TilePair<kFormat>));
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int n_parts = sharing.n_parts;
  const int part = warp % n_parts;
  const int group = warp / n_parts;
  const int y = static_cast<int>(blockIdx.y);
  const bool second = y >= n_first_groups;
  const MatmulArgs& args = pair_args.of[second ? 1 : 0];
  const int pair = (second ? y - n_first_groups : y) * sharing.n_groups + group;
  const int head = static_cast<int>(blockIdx.z);
  const int first_token = static_cast<int>(blockIdx.x) * 8 * kEights;
  const Memory<kFormat, kEights> memory(dynamic_shared<uint8_t>(), sharing);
  const Source<kFormat, kKind, kEights> source(args, pair, head, first_token, part, n_parts);
  const auto copy = [&](int step) {
    if (source.has_step(step)) {
      if (step % 4 == 0 && step > 0) source.copy_weights(memory.weights[warp][step / 4 % 2], step / 4, lane);
      source.copy_tokens(memory.stage(part, step), step, group, sharing.n_groups, lane);
    }
    cp_async_commit();
  };
  // The first weights were there before the kernel before this one.
  if (source.has_unit(0)) source.copy_weights(memory.weights[warp][0], 0, lane);
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int step = 0; step < sharing.n_stages - 1; ++step) copy(step);
  PairSums<kEights> total = {};  // of the eights of tokens part, part + n_parts, ...
  const int n_units = (args.matrix[0].n_blocks + n_parts - 1) / n_parts;
#pragma unroll 1
  for (int unit = 0; unit < n_units; ++unit) {
    TilePair<kFormat>& weights = memory.weights[warp][unit % 2];
    if (source.has_unit(unit)) {
      PairSums<kEights> sum = {};
      RowFactors<kFormat> factors[2];
#pragma unroll 1
      for (int q = 0; q < 4; ++q) {
        const int step = unit * 4 + q;
        wait_for_oldest(sharing.n_stages);
        // All warps of the part have what the others copied, and are done with what is copied over now.
        if (sharing.n_groups == 1) {
          __syncwarp();
        } else {
          sync_some(1 + part, 32 * sharing.n_groups);
        }
        copy(step + sharing.n_stages - 1);
        if (q == 0) {
#pragma unroll
          for (int m = 0; m < 2; ++m) factors[m].template load<FromShared>(weights[m], lane);
        }
        if (source.has_step(step)) {
          Quarter<kFormat> quarters[2];
#pragma unroll
          for (int m = 0; m < 2; ++m) quarters[m].template load<FromShared>(weights[m], q, lane);
          const __half* x = &memory.stage(part, step)[lane % 8][lane / 8 * 8];
          add_quarter<kFormat, kEights>(sum, quarters, factors, x, 8 * kPitch);
        }
      }
      __syncwarp();
      float4* sums = memory.sums(warp, unit);
#pragma unroll
      for (int t = 0; t < kEights; ++t) {
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          factors[m].scale(sum[t][m]);
          sums[(2 * t + m) * 32 + lane] = make_float4(sum[t][m][0], sum[t][m][1], sum[t][m][2], sum[t][m][3]);
        }
      }
    }
    __syncthreads();
#pragma unroll
    for (int t = 0; t < kEights; ++t) {
      if (t % n_parts != part) continue;
#pragma unroll 1
      for (int p = 0; p < n_parts && unit * n_parts + p < args.matrix[0].n_blocks; ++p) {
        const float4* sums = memory.sums(warp - part + p, unit);
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          const float4 v = sums[(2 * t + m) * 32 + lane];
          const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
          for (int i = 0; i < 4; ++i) total[t][m][i] = __fadd_rn(total[t][m][i], values[i]);
        }
      }
    }
    if (unit + 1 < n_units) __syncthreads();  // the sums make room for weights
  }
#pragma unroll
  for (int t = 0; t < kEights; ++t) {
    if (t % n_parts != part) continue;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = first_token + t * 8 + lane % 4 * 2 + i % 2;
      if (token >= args.x.n_rows) continue;
      const int64_t out = token * args.out.row_stride + head * args.out.head_stride;
      const int in_tile = lane / 4 + 8 * (i / 2);
      if constexpr (kKind == Kind::kGlu) {
        const int row = pair * kTileRows + in_tile;
        if (row < args.matrix[0].n_out) store_gated(args, head, out + row, row, total[t][0][i], total[t][1][i]);
      } else {
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          const int row = (2 * pair + m) * kTileRows + in_tile;
          if (row < args.matrix[0].n_out) store_sum<kStore>(args, head, out + row, row, total[t][m][i]);
        }
      }
    }
  }
}

int pairs_of(const PackedMatrix& matrix, Kind kind) {
  return kind == Kind::kGlu ? matrix.n_row_tiles : (matrix.n_row_tiles + 1) / 2;
}

/// As many parts as there are tiles along the columns, or equal shares of them; as many groups as bring the blocks down
/// to one a multiprocessor; as deep a ring of tokens as there is room for.
template <PackedFormat kFormat, int kEights>
Sharing share(const Stream& stream, int n_blocks, const auto& blocks_with) {
  const auto fits = [&](const Sharing& sharing) {
    return sharing.n_parts * sharing.n_groups <= kMostWarps &&
           Memory<kFormat, kEights>::bytes(sharing) <= stream.shared_bytes;
  };
  Sharing sharing{.n_parts = std::min(n_blocks, kMostParts), .n_groups = 1, .n_stages = kLeastStages};
  while (sharing.n_parts > 1 && !fits(sharing)) --sharing.n_parts;
  sharing.n_parts = blocks_for(n_blocks, blocks_for(n_blocks, sharing.n_parts));
  const auto with = [&](int Sharing::*what) {
    Sharing more = sharing;
    ++(more.*what);
    return more;
  };
  while (blocks_with(sharing.n_groups) > stream.n_multiprocessors && fits(with(&Sharing::n_groups)))
    sharing = with(&Sharing::n_groups);
  while (sharing.n_stages < kMostStages && fits(with(&Sharing::n_stages))) sharing = with(&Sharing::n_stages);
  return sharing;
}

template <PackedFormat kFormat, Kind kKind, Store kStore, int kEights>
void launch_eights(const Stream& stream, const MatmulPair& args, int count) {
  const int n_token_tiles = blocks_for(args.of[0].x.n_rows, 8 * kEights);
  const auto groups = [&](int of, int n_groups) {
    return args.of[of].x.n_rows > 0 ? blocks_for(pairs_of(args.of[of].matrix[0], kKind), n_groups) : 0;
  };
  const Sharing sharing = share<kFormat, kEights>(stream, args.of[0].matrix[0].n_blocks, [&](int n_groups) {
    return n_token_tiles * (groups(0, n_groups) + groups(1, n_groups)) * count;
  });
  const int n_first = groups(0, sharing.n_groups);
  launch(
      stream,
      {dim3(static_cast<unsigned>(n_token_tiles), static_cast<unsigned>(n_first + groups(1, sharing.n_groups)),
            static_cast<unsigned>(count)),
       dim3(static_cast<unsigned>(sharing.n_parts * sharing.n_groups * 32)), Memory<kFormat, kEights>::bytes(sharing)},
      matmul_short_kernel<kFormat, kKind, kStore, kEights>, args, n_first, sharing);
}

}  // namespace

template <Kind kKind, Store kStore>
void launch_matmul_short(const Stream& stream, const MatmulPair& args, int count) {
  const MatmulArgs& first = args.of[0];
  const MatmulArgs& second = args.of[1];
  for (const MatmulArgs& of : args.of) GLINT_CHECK(of.x.row_stride % 8 == 0 && of.x.head_stride % 8 == 0);
  GLINT_CHECK(second.x.n_rows == 0 ||
              (count == 1 && second.x.n_rows == first.x.n_rows && second.matrix[0].n_in == first.matrix[0].n_in &&
               second.matrix[0].format == first.matrix[0].format));
  with_format(first.matrix[0].format, [&]<PackedFormat kFormat>() {
    if (first.x.n_rows <= 32) {
      launch_eights<kFormat, kKind, kStore, 2>(stream, args, count);
    } else {
      launch_eights<kFormat, kKind, kStore, 4>(stream, args, count);
    }
  });
}

template void launch_matmul_short<Kind::kStore, Store::kF32>(const Stream&, const MatmulPair&, int);
template void launch_matmul_short<Kind::kStore, Store::kF32Add>(const Stream&, const MatmulPair&, int);
template void launch_matmul_short<Kind::kStore, Store::kHalf>(const Stream&, const MatmulPair&, int);
template void launch_matmul_short<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulPair&, int);

}  // namespace glint::cuda
