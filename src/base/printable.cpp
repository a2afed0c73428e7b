// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <fmt/format.h>

#include <iterator>

namespace glint {

std::string printable(std::string_view text, size_t limit) {
  std::string shown;
  for (char c : text.substr(0, limit)) {
    if (c >= ' ' && c <= '~') {
      shown += c;
    } else {
      fmt::format_to(std::back_inserter(shown), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > limit) fmt::format_to(std::back_inserter(shown), "... ({} bytes)", text.size());
  return shown;
}

}  // namespace glint
