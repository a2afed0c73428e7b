// SPDX-License-Identifier: Apache-2.0
//
// Serves the web page: "/" and "/web/NAME", packed or not as the client takes it, with ETags, and with the headers that
// confine the page to this server and to scripts of its own (docs/WEB_PAGE.md). Needs no model and no key: the page
// asks for the key itself. Called by server/application. Tested by tests/unit/server/web_page_test.cpp.
#pragma once

#include <optional>
#include <span>

#include "server/http_message.h"
#include "server/web_files.h"

namespace glint::server {

class WebPage {
 public:
  explicit WebPage(std::span<const WebFile> files = web_files()) : files_(files) {}

  /// Nothing for what is not the page's: other paths, other methods than GET and HEAD.
  std::optional<Reply> answer(const HttpRequest& request) const;

 private:
  std::span<const WebFile> files_;
};

/// Whether an Accept-Encoding header lets gzip through.
bool accepts_gzip(std::string_view accept_encoding);
/// What `gzip -n` packed; throws Error for anything broken.
std::string unpack_gzip(std::string_view packed);

}  // namespace glint::server
