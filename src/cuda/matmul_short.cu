// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_pair.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

/// Warps of a block: more would have too few registers. A part of the columns may have but one.
constexpr int most_warps(int eights) {
  return eights <= 2 ? 16 : 12;
}
constexpr int kLeastShare = 75;  // of the multiprocessors, per cent, that have a block
constexpr int kMostStages = 4;   // quarters of tokens on their way to a warp
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
  __device__ __forceinline__ Tokens<kEights>& stage(int part, int index) const {
    return tokens[part * n_stages + index];
  }
  /// A tile's sums lie where its weights were.
  __device__ __forceinline__ float4* sums(int warp, int unit) const {
    return reinterpret_cast<float4*>(weights[warp][unit % 2]);
  }
};

/// A warp's weights and its share of a part's tokens on their way: a step is a quarter of a tile, 64 columns; a unit
/// four steps, a pair of tiles. Columns ascend.
template <PackedFormat kFormat, Kind kKind, int kEights>
class Feed {
 public:
  using Memory = glint::cuda::Memory<kFormat, kEights>;

  __device__ __forceinline__ Feed(const MatmulArgs& args, const Memory& memory, const Sharing& sharing, int pair,
                                  int head, int first_token, int warp, int lane)
      : weights_(memory.weights[warp]),
        stages_(&memory.stage(warp % sharing.n_parts, 0)),
        n_stages_(sharing.n_stages),
        n_parts_(sharing.n_parts),
        lane_(lane) {
    const PackedMatrix& matrix = args.matrix[0];
    const int part = warp % n_parts_;
    n_quarters_ = (matrix.n_in + kQuarterColumns - 1) / kQuarterColumns;
    quarter_ = part * 4;
    const int64_t row_bytes = static_cast<int64_t>(matrix.n_blocks) * tile_layout(kFormat).bytes();
    const int64_t first_row = static_cast<int64_t>(head) * matrix.n_row_tiles;
#pragma unroll
    for (int m = 0; m < 2; ++m) {  // rows past the end are computed from the last one and not stored
      const int row = min(kKind == Kind::kGlu ? pair : 2 * pair + m, matrix.n_row_tiles - 1);
      tiles_[m] = args.matrix[kKind == Kind::kGlu ? m : 0].tiles + (first_row + row) * row_bytes +
                  part * tile_layout(kFormat).bytes();
    }
    // A lane has a chunk of every fourth token, of those fours that are the warp's.
    const int group = warp / n_parts_;
    four_stride_ = 4 * args.x.row_stride;
    x_ = args.x.data + (first_token + lane / 8) * args.x.row_stride + head * args.x.head_stride +
         quarter_ * kQuarterColumns + lane % 8 * 8;
#pragma unroll
    for (int i = 0; i < 2 * kEights; ++i) {
      const bool mine = i % sharing.n_groups == group && first_token + i * 4 + lane / 8 < args.x.n_rows;
      fours_ |= mine ? 1u << i : 0;
    }
  }
  /// Starts the copies of a unit's weights; the first were there before the kernel before this one.
  __device__ __forceinline__ void copy_weights() {
    if (quarter_ >= n_quarters_) return;
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      copy_tile<kFormat, false>(weights_[unit_ % 2][m], tiles_[m], lane_);
      tiles_[m] += n_parts_ * tile_layout(kFormat).bytes();
    }
  }
  /// Starts those of the next step, as one group.
  __device__ __forceinline__ void copy_next() {
    if (quarter_ < n_quarters_) {
      if (quarter_ % 4 == 0 && unit_ > 0) copy_weights();
      __half* to = &stages_[stage_][lane_ / 8][lane_ % 8 * 8];
#pragma unroll
      for (int i = 0; i < 2 * kEights; ++i) {
        if ((fours_ >> i & 1) != 0) cp_async_16(to + i * 4 * kPitch, x_ + i * four_stride_);
      }
    }
    cp_async_commit();
    stage_ = stage_ + 1 == n_stages_ ? 0 : stage_ + 1;
    x_ += kQuarterColumns;
    if (++quarter_ % 4 != 0) return;
    ++unit_;
    quarter_ += 4 * (n_parts_ - 1);
    x_ += kTileColumns * (n_parts_ - 1);
  }

 private:
  TilePair<kFormat>* weights_;
  Tokens<kEights>* stages_;
  int n_stages_, n_parts_, lane_;
  const uint8_t* tiles_[2];
  const __half* x_;
  int64_t four_stride_;
  unsigned fours_ = 0;
  int n_quarters_;
  int quarter_;  // of the matrix: the next to be copied
  int unit_ = 0;
  int stage_ = 0;
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
__global__ void __launch_bounds__(most_warps(kEights) * 32)
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
  Feed<kFormat, kKind, kEights> feed(args, memory, sharing, pair, head, first_token, warp, lane);
  feed.copy_weights();
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int step = 0; step < sharing.n_stages - 1; ++step) feed.copy_next();
  PairSums<kEights> total = {};  // of the eights of tokens part, part + n_parts, ...
  const int n_blocks = args.matrix[0].n_blocks;
  const int n_quarters = (args.matrix[0].n_in + kQuarterColumns - 1) / kQuarterColumns;
  const int n_units = (n_blocks + n_parts - 1) / n_parts;
  int stage = 0;
#pragma unroll 1
  for (int unit = 0; unit < n_units; ++unit) {
    TilePair<kFormat>& weights = memory.weights[warp][unit % 2];
    if (unit * n_parts + part < n_blocks) {
      PairSums<kEights> sum = {};
      RowFactors<kFormat> factors[2];
#pragma unroll 1
      for (int q = 0; q < 4; ++q) {
        wait_for_oldest(sharing.n_stages);
        // All warps of the part have what the others copied, and are done with what is copied over now.
        if (sharing.n_groups == 1) {
          __syncwarp();
        } else {
          sync_some(1 + part, 32 * sharing.n_groups);
        }
        feed.copy_next();
        if (q == 0) {
#pragma unroll
          for (int m = 0; m < 2; ++m) factors[m].template load<FromShared>(weights[m], lane);
        }
        if ((unit * n_parts + part) * 4 + q < n_quarters) {
          Quarter<kFormat> quarters[2];
#pragma unroll
          for (int m = 0; m < 2; ++m) quarters[m].template load<FromShared>(weights[m], q, lane);
          const __half* x = &memory.stage(part, stage)[lane % 8][lane / 8 * 8];
          add_quarter<kFormat, kEights>(sum, quarters, factors, x, 8 * kPitch);
        }
        stage = stage + 1 == sharing.n_stages ? 0 : stage + 1;
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
      for (int p = 0; p < n_parts && unit * n_parts + p < n_blocks; ++p) {
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

/// As many parts as there are tiles along the columns, or equal shares of them; as many groups as leave half the
/// multiprocessors a block, since those of a block read its tokens once; as deep a ring of tokens as there is room for.
template <PackedFormat kFormat, int kEights>
Sharing share(const Stream& stream, int n_blocks, const auto& blocks_with) {
  const auto fits = [&](const Sharing& sharing) {
    return sharing.n_parts * sharing.n_groups <= most_warps(kEights) &&
           Memory<kFormat, kEights>::bytes(sharing) <= stream.shared_bytes;
  };
  Sharing sharing{.n_parts = std::min(n_blocks, most_warps(kEights)), .n_groups = 1, .n_stages = kLeastStages};
  while (sharing.n_parts > 1 && !fits(sharing)) --sharing.n_parts;
  sharing.n_parts = blocks_for(n_blocks, blocks_for(n_blocks, sharing.n_parts));
  const auto with = [&](int Sharing::*what) {
    Sharing more = sharing;
    ++(more.*what);
    return more;
  };
  while (blocks_with(sharing.n_groups + 1) * 100 >= stream.n_multiprocessors * kLeastShare &&
         fits(with(&Sharing::n_groups))) {
    sharing = with(&Sharing::n_groups);
  }
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
