// SPDX-License-Identifier: Apache-2.0
//
// A model that does not fit into the memory that is free now. Others that are loaded may be what is in its way.
// Thrown by Engine::open; caught by server/models. Tested by tests/unit/small_card/small_card_test.cpp.
#pragma once

#include "base/check.h"

namespace glint {

class OutOfMemory : public Error {
 public:
  using Error::Error;
};

}  // namespace glint
