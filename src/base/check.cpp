// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

namespace glint {

void check_failed(const char* condition, const char* file, int line) {
  throw InternalError(fmt::format("internal error: {} does not hold at {}:{}", condition, file, line));
}

}  // namespace glint
