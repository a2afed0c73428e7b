// SPDX-License-Identifier: Apache-2.0
//
// Anthropic's form of a request, in the names that server/chat_fields knows.
// Called by server/anthropic. Tested by tests/unit/server/anthropic_test.cpp.
#pragma once

#include "server/fields.h"

namespace glint::server {

/// Throws ApiError naming the member that cannot be served.
Json translate_anthropic(const Fields& fields);

}  // namespace glint::server
