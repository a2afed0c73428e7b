// SPDX-License-Identifier: Apache-2.0
//
// The text forms of HTTP/1.1 that a server writes: heads and chunks; and the percent encoding that it reads.
// Called by server/http_connection. Tested by tests/unit/server/application_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace glint::server {

enum class Framing { kLength, kChunked, kUntilClose };

/// Status line and header, ended. With kLength the body's size is stated. Line breaks in values are left out.
std::string format_head(const HttpResponse& response, Framing framing, bool keep_alive);
/// "" for no bytes: an empty chunk would end the body.
std::string format_chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// %XX to bytes; nothing for a broken escape.
std::optional<std::string> decode_percent(std::string_view text);
/// The value of a name in "a=1&b=2", as it is written; nothing when absent.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name);

}  // namespace glint::server
