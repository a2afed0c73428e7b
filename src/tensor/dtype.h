// SPDX-License-Identifier: Apache-2.0
//
// The number formats of GGUF files: how many elements a block holds and how many bytes it takes.
// Rows are whole blocks; a tensor whose row length is not a multiple of the block length is invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace glint {

/// Values are GGUF's own type ids, so a file's id converts by dtype_from_id().
enum class DType : uint8_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
};

/// What is known of one format. `is_weight` is false for the integer and double types, which no kernel multiplies by.
struct DTypeTraits {
  DType dtype;
  std::string_view name;  // as GGUF tools print it: "Q4_K"
  int block_elements;
  int block_bytes;
  bool is_weight;
};

/// Traits of a format that this enum names.
const DTypeTraits& traits(DType dtype);

/// Every format, ascending by id.
std::span<const DTypeTraits> all_dtypes();

/// The format with this GGUF id; nothing for ids that are removed, reserved or unknown.
std::optional<DType> dtype_from_id(uint32_t id);

/// The format with this name, case-insensitive ("q4_k" or "Q4_K").
std::optional<DType> dtype_from_name(std::string_view name);

/// Bytes of a row of `elements`; PRECOND: elements is a multiple of the block length and not negative.
inline int64_t row_bytes(DType dtype, int64_t elements) {
  const DTypeTraits& t = traits(dtype);
  return elements / t.block_elements * t.block_bytes;
}

}  // namespace glint
