// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

namespace glint {

bool ends_inside_thinking(std::string_view prompt, const ThinkingTags& tags) {
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(tags.open);
}

}  // namespace glint
