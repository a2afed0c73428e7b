// SPDX-License-Identifier: Apache-2.0
//
// From a format known at run time to a template argument. Used by the launchers of kernels that read packed weights.
#pragma once

#include "cuda/packed_weight.h"

namespace glint::cuda {

/// Calls fn.template operator()<kFormat>().
template <class Fn>
void with_format(PackedFormat format, Fn&& fn) {
  switch (format) {
    case PackedFormat::kInt4Super:
      return fn.template operator()<PackedFormat::kInt4Super>();
    case PackedFormat::kInt5Super:
      return fn.template operator()<PackedFormat::kInt5Super>();
    case PackedFormat::kInt4:
      return fn.template operator()<PackedFormat::kInt4>();
    case PackedFormat::kInt5:
      return fn.template operator()<PackedFormat::kInt5>();
    case PackedFormat::kInt6:
      return fn.template operator()<PackedFormat::kInt6>();
    case PackedFormat::kInt8:
      return fn.template operator()<PackedFormat::kInt8>();
    case PackedFormat::kHalf:
      return fn.template operator()<PackedFormat::kHalf>();
  }
}

}  // namespace glint::cuda
