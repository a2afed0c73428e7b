// SPDX-License-Identifier: Apache-2.0
//
// Times as text, for APIs that want them so. Called by server/ollama and ollama_models.
#pragma once

#include <cstdint>
#include <string>

namespace glint::server {

/// "2026-11-25T15:37:58Z" of seconds since 1970.
std::string iso_time(int64_t seconds);

}  // namespace glint::server
