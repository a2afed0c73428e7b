// SPDX-License-Identifier: Apache-2.0
//
// The files of the web page inside the binary. Their definition is generated: cmake/web.cmake bundles and packs /web,
// or leaves the list empty where the tools for that are missing. Read by server/web_page.
#pragma once

#include <span>
#include <string_view>

namespace glint::server {

struct WebFile {
  std::string_view name;  // the last part of its path; "" for the page itself
  std::string_view content_type;
  std::string_view etag;  // quoted, of the content
  std::string_view bytes;
  bool is_gzip = false;  // whether `bytes` are packed; fonts are so by themselves
};

/// Empty when the page was not built.
std::span<const WebFile> web_files();

}  // namespace glint::server
