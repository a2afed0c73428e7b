// SPDX-License-Identifier: Apache-2.0
//
// In place of the generated files of the web page, where it cannot be built.
#include "server/web_files.h"

namespace glint::server {

std::span<const WebFile> web_files() {
  return {};
}

}  // namespace glint::server
