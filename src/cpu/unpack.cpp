// SPDX-License-Identifier: Apache-2.0
//
// The choice of an unpack function: AVX2 where there is one, else the scalar truth. Tested by
// tests/unit/cpu/unpack_test.cpp.
#include "cpu/unpack.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

template <size_t kId>
void unpack_scalar(const void* blocks, int64_t elements, float* out) {
  dequantize(static_cast<DType>(kId), blocks, elements, out);
}

template <size_t... kIds>
constexpr std::array<UnpackFunction, sizeof...(kIds)> scalar_functions(std::index_sequence<kIds...>) {
  return {unpack_scalar<kIds>...};
}

constexpr size_t kEndOfIds = static_cast<size_t>(DType::kMXFP4) + 1;
constexpr auto kScalar = scalar_functions(std::make_index_sequence<kEndOfIds>());

}  // namespace

UnpackFunction unpack_function(DType dtype, CpuLevel level) {
  GLINT_CHECK(traits(dtype).is_weight);
  if (level != CpuLevel::kScalar) {
    if (const UnpackFunction function = avx2_unpack_function(dtype)) return function;
  }
  return kScalar[static_cast<size_t>(dtype)];
}

}  // namespace glint
