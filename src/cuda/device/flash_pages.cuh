// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a page's results: folded in registers, or left in memory for flash_attend.cu's second kernel.
#pragma once

#include "cuda/device/flash_rows.cuh"

namespace glint::cuda {

/// A prompt's way: folds page after page in registers.
template <class Shape>
struct FoldedPages {
  static constexpr bool kShared = false;
  static constexpr int kLaneRows = WarpRows<Shape>::kLaneRows;
  float values[Shape::kRowTiles][Shape::kWidth / 8][4];
  FoldState states[kLaneRows];

  __device__ __forceinline__ FoldedPages(const FlashArgs& args, const RowTile& tile, const WarpRows<Shape>& rows) {
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) {
      states[r] = first_state(args.params, PackedRow(args, tile, rows.packed(r)).head);
#pragma unroll
      for (int t = 0; t < Shape::kWidth / 8; ++t) values[r / 2][t][r % 2 * 2] = values[r / 2][t][r % 2 * 2 + 1] = 0;
    }
  }
  /// p, page_states: what the page's probabilities are and what they are relative to.
  __device__ __forceinline__ void add(int, const PageProbabilities<Shape>& p, const FoldState (&page_states)[kLaneRows],
                                      __half* page_values) {
    FoldFactors factors[kLaneRows];
    bool shrinks = false;
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) {
      factors[r] = fold_factors(states[r].largest, page_states[r].largest);
      states[r].largest = fmaxf(states[r].largest, page_states[r].largest);
      states[r].sum = fold_value(states[r].sum, page_states[r].sum, factors[r]);
      shrinks |= factors[r].kept != 1;
    }
    // What is multiplied by one stays as it is, and most pages bring no larger score.
    if (__any_sync(kAllLanes, shrinks)) {
#pragma unroll
      for (int m = 0; m < Shape::kRowTiles; ++m) {
#pragma unroll
        for (int t = 0; t < Shape::kWidth / 8; ++t) {
#pragma unroll
          for (int i = 0; i < 4; ++i) values[m][t][i] = __fmul_rn(values[m][t][i], factors[2 * m + i / 2].kept);
        }
      }
    }
    multiply_values<Shape>(p, page_values, [&](int m, int t, const float(&part)[4]) {
#pragma unroll
      for (int i = 0; i < 4; ++i) values[m][t][i] = __fmaf_rn(part[i], factors[2 * m + i / 2].added, values[m][t][i]);
    });
  }
  __device__ __forceinline__ void finish(const FlashArgs& args, const RowTile& tile,
                                         const WarpRows<Shape>& rows) const {
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) {
      const PackedRow packed(args, tile, rows.packed(r));
      if (!packed.exists) continue;
      const float inverse = 1.0f / states[r].sum;
      float* out =
          args.out.data + packed.row * args.out.row_stride + packed.head * args.out.head_stride + threadIdx.x % 4 * 2;
#pragma unroll
      for (int t = 0; t < Shape::kWidth / 8; ++t) {
        out[t * 8] = values[r / 2][t][r % 2 * 2] * inverse;
        out[t * 8 + 1] = values[r / 2][t][r % 2 * 2 + 1] * inverse;
      }
    }
  }
};

/// The way of few rows: leaves each page's results in memory.
template <class Shape>
struct StoredPages {
  static_assert(Shape::kRowTiles == 1);
  static constexpr bool kShared = true;
  PageResults results;
  PackedRow packed[2];

  __device__ __forceinline__ StoredPages(const FlashArgs& args, const RowTile& tile, const WarpRows<Shape>& rows)
      : results(args.results), packed{{args, tile, rows.packed(0)}, {args, tile, rows.packed(1)}} {}
  __device__ __forceinline__ void add(int page, const PageProbabilities<Shape>& p, const FoldState (&page_states)[2],
                                      __half* page_values) {
    int64_t at[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      at[r] = results.at(packed[r].row, page, packed[r].head);
      if (packed[r].exists && threadIdx.x % 4 == 0) results.states[at[r]] = page_states[r];
    }
    multiply_values<Shape>(p, page_values, [&](int, int t, const float(&part)[4]) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        if (!packed[r].exists) continue;
        auto* to = reinterpret_cast<float2*>(results.values + at[r] * Shape::kWidth + t * 8 + threadIdx.x % 4 * 2);
        *to = make_float2(part[2 * r], part[2 * r + 1]);
      }
    });
  }
  __device__ __forceinline__ void finish(const FlashArgs&, const RowTile&, const WarpRows<Shape>&) const {}
};

}  // namespace glint::cuda
