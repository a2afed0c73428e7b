// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "cuda/device/matmul_tokens.cuh"
#include "cuda/device/tile_pair.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kDepth = 2;       // pairs of tiles on their way to a warp
constexpr int kMostWarps = 12;  // more would compute no faster, and have fewer registers
constexpr int kLeastWarps = 4;

/// Brings the lists of `groups` to shared memory: read where they are, each look into them would wait for the last.
__device__ __forceinline__ ExpertGroups nearby(ExpertGroups groups, void* room, int n_slots) {
  auto* tiles = static_cast<int4*>(room);
  auto* slots = reinterpret_cast<int32_t*>(tiles + groups.n_tiles + 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int n_threads = static_cast<int>(blockDim.x);
  if (thread == 0) tiles[groups.n_tiles].x = groups.n_tiles > 0 ? *groups.n_used : 0;
  for (int i = thread; i < groups.n_tiles; i += n_threads) tiles[i] = groups.tiles[i];
  for (int i = thread; i < n_slots; i += n_threads) slots[i] = groups.slots[i];
  __syncthreads();
  groups.tiles = tiles;
  groups.slots = slots;
  groups.n_used = &tiles[groups.n_tiles].x;
  return groups;
}
/// What they take there.
size_t list_bytes(int n_tiles, int n_slots) {
  return static_cast<size_t>(n_tiles + 1 + (n_slots + 3) / 4) * sizeof(int4);
}

/// The launch's work in order: for each tile of tokens, first the experts', so many items of two rows of tiles.
template <int kTokens>
struct Work {
  ExpertGroups groups;
  int n_expert_tiles;
  int items_of_tile;
  int first, end;  // this block's items

  __device__ __forceinline__ Work(const MatmulPair& args, const ExpertGroups& lists, int items)
      : groups(lists), n_expert_tiles(*lists.n_used), items_of_tile(items) {
    const int n_tiles = n_expert_tiles + (args.of[1].x.n_rows + kTokens - 1) / kTokens;
    const int64_t n_items = static_cast<int64_t>(n_tiles) * items_of_tile;
    first = static_cast<int>(n_items * blockIdx.x / gridDim.x);
    end = static_cast<int>(n_items * (blockIdx.x + 1) / gridDim.x);
  }
  __device__ __forceinline__ bool is_shared(int tile) const { return tile >= n_expert_tiles; }
  /// The tokens of a tile.
  __device__ __forceinline__ TokenRows tokens(const MatmulPair& args, int tile) const {
    if (is_shared(tile)) return token_rows<kTokens>({}, args.of[1].x.n_rows, tile - n_expert_tiles);
    return token_rows<kTokens>(groups, 0, tile);
  }
};

/// A warp's weights on their way: items first + warp, + n_warps, ... of the block, pairs of tiles in ascending columns.
template <PackedFormat kFormat, Kind kKind, int kTokens>
class WeightRing {
 public:
  __device__ __forceinline__ WeightRing(const MatmulPair& args, const Work<kTokens>& work, TilePair<kFormat>* slots,
                                        int warp, int n_warps, int lane)
      : args_(args), work_(work), slots_(slots), n_warps_(n_warps), lane_(lane), item_(work.first + warp) {
    find_item();
  }
  /// Starts the first copies.
  __device__ __forceinline__ void start() {
#pragma unroll
    for (int i = 0; i < kDepth; ++i) copy_next();
  }
  /// The oldest pair, once it is there.
  __device__ __forceinline__ const TilePair<kFormat>& front() const {
    cp_async_wait<kDepth - 1>();
    __syncwarp();
    return slots_[front_];
  }
  /// Gives the oldest pair's place to the next.
  __device__ __forceinline__ void pop() {
    __syncwarp();
    front_ = front_ + 1 == kDepth ? 0 : front_ + 1;
    copy_next();
  }

 private:
  __device__ __forceinline__ void find_item() {
    if (item_ >= work_.end) return;
    const int tile = item_ / work_.items_of_tile;
    const int row = item_ - tile * work_.items_of_tile;
    const bool shared = work_.is_shared(tile);
    const MatmulArgs& of = args_.of[shared ? 1 : 0];
    if (tile != tile_) expert_ = shared ? 0 : work_.groups.tiles[tile].x;
    tile_ = tile;
    const PackedMatrix& matrix = of.matrix[0];
    const int64_t row_bytes = static_cast<int64_t>(matrix.n_blocks) * tile_layout(kFormat).bytes();
    const int64_t first = static_cast<int64_t>(expert_) * matrix.n_row_tiles;
    if constexpr (kKind == Kind::kGlu) {
#pragma unroll
      for (int m = 0; m < 2; ++m) from_[m] = of.matrix[m].tiles + (first + row) * row_bytes;
    } else {  // past the end the last once more, which is not stored
      from_[0] = matrix.tiles + (first + 2 * row) * row_bytes;
      from_[1] = matrix.tiles + (first + min(2 * row + 1, matrix.n_row_tiles - 1)) * row_bytes;
    }
  }
  __device__ __forceinline__ void copy_next() {
    if (item_ < work_.end) {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        copy_tile<kFormat, false>(slots_[back_][m], from_[m] + block_ * tile_layout(kFormat).bytes(), lane_);
      }
      back_ = back_ + 1 == kDepth ? 0 : back_ + 1;
      if (++block_ == args_.of[0].matrix[0].n_blocks) {
        block_ = 0;
        item_ += n_warps_;
        find_item();
      }
    }
    cp_async_commit();
  }

  const MatmulPair& args_;
  const Work<kTokens>& work_;
  TilePair<kFormat>* slots_;
  int n_warps_;
  int lane_;
  int item_;
  int tile_ = -1;
  int expert_ = 0;
  int block_ = 0;
  int front_ = 0;
  int back_ = 0;
  const uint8_t* from_[2] = {};
};

/// Starts the copies of the rows of x that a tile's tokens are, `pitch` halves apart, zeros behind them up to whole
/// tiles of weights. All warps take part.
__device__ __forceinline__ void load_tokens(__half* to, const MatmulArgs& args, const TokenRows& tokens, int pitch,
                                            int warp, int n_warps, int lane) {
  const int n_columns = (args.matrix[0].n_in + 63) / 64 * 64;
  for (int token = warp; token < tokens.n_tokens; token += n_warps) {
    const __half* from = args.x.data + tokens.x_row(token) * args.x.row_stride;
    for (int column = lane * 8; column < pitch - 8; column += 256) {
      const bool there = column < n_columns;
      cp_async_16(to + token * pitch + column, from + (there ? column : 0), there);
    }
  }
}

/// total += the products of a pair of tiles with the tokens. `x`, `next_eight`: as add_quarter's, at the tiles' first
/// column.
template <PackedFormat kFormat, int kEights>
__device__ __forceinline__ void add_products(PairSums<kEights>& total, const TilePair<kFormat>& pair, const __half* x,
                                             int next_eight, int lane) {
  PairSums<kEights> sum = {};
  RowFactors<kFormat> factors[2];
  Quarter<kFormat> quarters[2][2];  // this one and the next
#pragma unroll
  for (int m = 0; m < 2; ++m) {
    factors[m].template load<FromShared>(pair[m], lane);
    quarters[0][m].template load<FromShared>(pair[m], 0, lane);
  }
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    if (q < 3) {
#pragma unroll
      for (int m = 0; m < 2; ++m) quarters[(q + 1) % 2][m].template load<FromShared>(pair[m], q + 1, lane);
    }
    add_quarter<kFormat, kEights>(sum, quarters[q % 2], factors, x + q * 64, next_eight);
  }
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int t = 0; t < kEights; ++t) {
      factors[m].scale(sum[t][m]);
#pragma unroll
      for (int i = 0; i < 4; ++i) total[t][m][i] = __fadd_rn(total[t][m][i], sum[t][m][i]);
    }
  }
}

/// Stores a lane's sums of item `row` with the eight tokens from `first_token` on.
template <Kind kKind, Store kStore>
__device__ __forceinline__ void store_item(const MatmulArgs& args, const TokenRows& tokens, int first_token, int row,
                                           const float (&total)[2][4], int lane) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int token = first_token + lane % 4 * 2 + i % 2;
    if (token >= tokens.n_tokens) continue;
    const int64_t out = tokens.out_row(token) * args.out.row_stride;
    const int in_tile = lane / 4 + 8 * (i / 2);
    if constexpr (kKind == Kind::kGlu) {
      const int at = row * kTileRows + in_tile;
      if (at < args.matrix[0].n_out) store_gated(args, tokens.expert, out + at, at, total[0][i], total[1][i]);
    } else {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        const int at = (2 * row + m) * kTileRows + in_tile;
        if (at < args.matrix[0].n_out) store_sum<kStore>(args, tokens.expert, out + at, at, total[m][i]);
      }
    }
  }
}

/// What of shared memory holds tokens and lists.
struct TokenRoom {
  int pitch;    // halves of a token
  int n_rows;   // tokens: of a tile at least; those of a second one lie there too where they find room
  int n_slots;  // of the lists, which lie behind the rings
};

/// One block a multiprocessor. Warps go through the block's items side by side, each with its own weights, and meet
/// only when the tokens in shared memory change.
template <PackedFormat kFormat, Kind kKind, Store kStore, int kTokens>
__global__ void __launch_bounds__(kMostWarps * 32, 1)
    matmul_experts_kernel(const __grid_constant__ MatmulPair args, TokenRoom room) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int n_warps = static_cast<int>(blockDim.x) / 32;
  const PackedMatrix& matrix = args.of[0].matrix[0];
  auto* x = dynamic_shared<__half>();
  auto* slots = reinterpret_cast<TilePair<kFormat>*>(x + room.n_rows * room.pitch);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const Work<kTokens> work(args, nearby(args.of[0].groups, slots + n_warps * kDepth, room.n_slots),
                           kKind == Kind::kGlu ? matrix.n_row_tiles : (matrix.n_row_tiles + 1) / 2);
  if (work.first == work.end) return;
  WeightRing<kFormat, kKind, kTokens> ring(args, work, slots + warp * kDepth, warp, n_warps, lane);
  const int first_tile = work.first / work.items_of_tile;
  int item = work.first + warp;
#pragma unroll 1
  for (int tile = first_tile; tile * work.items_of_tile < work.end;) {
    if (tile != first_tile) __syncthreads();
    TokenRows tokens[2];
    int n_tiles = 0;
    for (int n_rows = 0; n_tiles < 2 && (tile + n_tiles) * work.items_of_tile < work.end; ++n_tiles) {
      const TokenRows of_tile = work.tokens(args, tile + n_tiles);
      if (n_rows + of_tile.n_tokens > room.n_rows) break;
      load_tokens(x + n_rows * room.pitch, args.of[work.is_shared(tile + n_tiles) ? 1 : 0], of_tile, room.pitch, warp,
                  n_warps, lane);
      n_rows += of_tile.n_tokens;
      tokens[n_tiles] = of_tile;
    }
    cp_async_commit();
    if (tile == first_tile) {  // tokens first: behind the weights they would come late
      ring.start();
      cp_async_wait<kDepth>();
    } else {
      cp_async_wait<0>();
    }
    __syncthreads();
    const int end = min(work.end, (tile + n_tiles) * work.items_of_tile);
#pragma unroll 1
    for (; item < end; item += n_warps) {
      const bool second = item >= (tile + 1) * work.items_of_tile;
      const int at_tile = tile + (second ? 1 : 0);
      const TokenRows& of_item = tokens[second ? 1 : 0];
      // Lanes of tokens that do not exist take the last.
      const auto row = [&](int eight) { return min(eight * 8 + lane % 8, of_item.n_tokens - 1); };
      const __half* column = x + ((second ? tokens[0].n_tokens : 0) + row(0)) * room.pitch + lane / 8 * 8;
      const int next_eight = (row(1) - row(0)) * room.pitch;
      PairSums<kTokens / 8> total = {};
#pragma unroll 1
      for (int block = 0; block < matrix.n_blocks; ++block) {
        add_products<kFormat, kTokens / 8>(total, ring.front(), column + block * kTileColumns, next_eight, lane);
        ring.pop();
      }
#pragma unroll
      for (int t = 0; t < kTokens / 8; ++t) {
        store_item<kKind, kStore>(args.of[work.is_shared(at_tile) ? 1 : 0], of_item, 8 * t,
                                  item - at_tile * work.items_of_tile, total[t], lane);
      }
    }
    tile += n_tiles;
  }
}

/// Shared memory of a block: tokens of a tile, as many warps as there is room for, tokens of a second tile.
struct Shape {
  TokenRoom room;
  int n_warps = 0;
  size_t shared_bytes = 0;

  Shape(const Stream& stream, const PackedMatrix& matrix, int n_tiles, int n_slots, int tile_tokens) {
    const int pitch = matrix.n_blocks * kTileColumns + 8;  // no two of eight tokens' chunks in one bank
    const auto pair_bytes = static_cast<int64_t>(2 * kDepth * tile_layout(matrix.format).bytes());
    const auto token_bytes = static_cast<int64_t>(pitch) * static_cast<int64_t>(sizeof(__half));
    const auto for_all = static_cast<int64_t>(stream.shared_bytes) - static_cast<int64_t>(list_bytes(n_tiles, n_slots));
    const auto fitting = [](int64_t bytes, int64_t each, int most) {
      return static_cast<int>(std::clamp<int64_t>(bytes / each, 0, most));
    };
    n_warps = fitting(for_all - tile_tokens * token_bytes, pair_bytes, kMostWarps);
    const int n_rows = fitting(for_all - n_warps * pair_bytes, token_bytes, 2 * tile_tokens);
    room = {pitch, n_rows, n_slots};
    shared_bytes = static_cast<size_t>(n_rows * token_bytes + n_warps * pair_bytes) + list_bytes(n_tiles, n_slots);
  }
};

}  // namespace

bool matmul_experts_fit(const Stream& stream, const PackedMatrix& matrix, int n_slots, int n_experts, int tile_tokens) {
  return Shape(stream, matrix, most_tiles(n_slots, n_experts, tile_tokens), n_slots, tile_tokens).n_warps >=
         kLeastWarps;
}

template <Kind kKind, Store kStore>
void launch_matmul_experts(const Stream& stream, const MatmulPair& args) {
  const PackedMatrix& matrix = args.of[0].matrix[0];
  const MatmulArgs& shared = args.of[1];
  GLINT_CHECK(args.of[0].x.row_stride % 8 == 0 && shared.x.row_stride % 8 == 0);
  GLINT_CHECK(shared.x.n_rows == 0 || same_shape(shared.matrix[0], matrix));
  const ExpertGroups& groups = args.of[0].groups;
  const int n_slots = args.of[0].x.n_rows * groups.slots_per_row;
  const Shape shape(stream, matrix, groups.n_tiles, n_slots, groups.tile_tokens);
  GLINT_CHECK(shape.n_warps >= kLeastWarps);
  with_format(matrix.format, [&]<PackedFormat kFormat>() {
    launch(stream,
           {dim3(static_cast<unsigned>(stream.n_multiprocessors)), dim3(static_cast<unsigned>(shape.n_warps * 32)),
            shape.shared_bytes},
           groups.tile_tokens == kExpertTokens ? matmul_experts_kernel<kFormat, kKind, kStore, kExpertTokens>
                                               : matmul_experts_kernel<kFormat, kKind, kStore, kMostExpertTokens>,
           args, shape.room);
  });
}

template void launch_matmul_experts<Kind::kStore, Store::kF32>(const Stream&, const MatmulPair&);
template void launch_matmul_experts<Kind::kGlu, Store::kHalf>(const Stream&, const MatmulPair&);

}  // namespace glint::cuda
