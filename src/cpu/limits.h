// SPDX-License-Identifier: Apache-2.0
//
// What the processor and its memory can do at best, measured: a sweep over more memory than caches hold, and
// multiply-adds in registers. Takes less than a second. Used by cpu_backend.cpp. Tested by
// tests/unit/cpu/limits_test.cpp.
#pragma once

#include "backend/backend.h"
#include "cpu/workers.h"

namespace glint::cpu {

MachineLimits measure_limits(Workers& workers);

}  // namespace glint::cpu
