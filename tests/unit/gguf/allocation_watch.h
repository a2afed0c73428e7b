// SPDX-License-Identifier: Apache-2.0
//
// Remembers the largest single allocation of the test program: how the reader's tests see that a length claimed by a
// hostile file is compared with the bytes that are there before memory is taken for it.
#pragma once

#include <cstddef>

namespace glint {

void reset_largest_allocation();
size_t largest_allocation();

}  // namespace glint
