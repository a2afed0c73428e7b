// SPDX-License-Identifier: Apache-2.0
//
// The meaning of Backend::route, one token at a time, and of Backend::top. Called by ref.cpp, and by cpu/, where
// neither has a faster form. Tested by tests/unit/backend/route_test.cpp and rows_test.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "backend/params.h"

namespace glint {

/// Whether candidate a beats b when both compete for one place: larger value first, NaN below everything, ties to the
/// lower index.
bool ranks_before(float a, int index_a, float b, int index_b);

/// As Backend::top.
void top_of_rows(TopEntry* out, Tensor x, int k);

/// Chooses experts[top_k] and weights[top_k] from logits [n_experts].
void route_token(std::span<const float> logits, const RouteParams& params, std::span<int32_t> experts,
                 std::span<float> weights);

}  // namespace glint
