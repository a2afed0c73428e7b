// SPDX-License-Identifier: Apache-2.0
//
// Names from outside, made safe to show: a file can name a tensor "\x1b[2J" or use 60,000 letters, and an error
// message must stay one readable line. Called wherever an Error quotes text that glint did not write.
// Tested by tests/unit/base/printable_test.cpp.
#pragma once

#include <string>
#include <string_view>

namespace glint {

/// `text` with everything but printable ASCII written as \xNN, cut after `limit` input bytes ("... (65535 bytes)").
std::string printable(std::string_view text, size_t limit = 100);

/// A whole message as one line: control characters and what is no UTF-8 written as \xNN, everything else as it is.
std::string one_line(std::string_view text);

}  // namespace glint
