// SPDX-License-Identifier: Apache-2.0
//
// A glint_request as the engine takes it. Called by stream.cpp. Tested by tests/c_api.
#pragma once

#include "c_api/handles.h"

namespace glint::c_api {

/// Throws Error for what cannot be understood; the engine checks the rest.
Request make_request(const glint_engine& engine, const glint_request& given);

}  // namespace glint::c_api
