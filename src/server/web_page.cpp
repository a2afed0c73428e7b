// SPDX-License-Identifier: Apache-2.0
#include "server/web_page.h"

#include <boost/beast/zlib/inflate_stream.hpp>

#include "base/check.h"

namespace glint::server {
namespace {

/// Nothing but this server's own files and answers; no script that is not one of those files; no HTML made from text
/// but by the sanitiser's policy.
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify";

constexpr std::string_view kNotBuilt =
    "This glint was built without its web page: esbuild or a library of the page was missing. `tools/setup.sh build` "
    "installs them; then build again.\nThe APIs are there all the same: see docs/SERVER.md.\n";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// Calls `use` with each part between commas until it says true; whether one did.
template <class Use>
bool any_part(std::string_view list, Use use) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    if (use(trim(list.substr(0, end)))) return true;
    list.remove_prefix(std::min(list.size(), end + 1));
  }
  return false;
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  return any_part(if_none_match, [&](std::string_view part) {
    if (part.starts_with("W/")) part.remove_prefix(2);
    return part == "*" || part == etag;
  });
}

void add_security_headers(HttpResponse& response) {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Content-Security-Policy", kContentSecurityPolicy},
           {"X-Content-Type-Options", "nosniff"},
           {"X-Frame-Options", "DENY"},
           {"Referrer-Policy", "no-referrer"},
           {"Cross-Origin-Opener-Policy", "same-origin"},
           {"Cross-Origin-Resource-Policy", "same-origin"},
           {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
           {"X-DNS-Prefetch-Control", "off"}}) {
    response.headers.emplace_back(name, value);
  }
}

HttpResponse file_response(const WebFile& file, const HttpRequest& request) {
  HttpResponse response{.content_type = std::string(file.content_type)};
  add_security_headers(response);
  response.headers.emplace_back("ETag", file.etag);
  // Names of all files but the page itself change with what is in them.
  response.headers.emplace_back("Cache-Control",
                                file.name.empty() ? "no-cache" : "public, max-age=31536000, immutable");
  if (file.is_gzip) response.headers.emplace_back("Vary", "Accept-Encoding");
  if (names_etag(request.header("if-none-match"), file.etag)) {
    response.status = 304;
  } else if (!file.is_gzip) {
    response.body = file.bytes;
  } else if (accepts_gzip(request.header("accept-encoding"))) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = file.bytes;
  } else {
    response.body = unpack_gzip(file.bytes);
  }
  return response;
}

}  // namespace

std::optional<Reply> WebPage::answer(const HttpRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  constexpr std::string_view kFolder = "/web/";
  std::string_view name = request.path;
  if (name.starts_with(kFolder) && name.size() > kFolder.size()) {
    name.remove_prefix(kFolder.size());
  } else if (name == "/" || name == "/index.html") {
    name = "";
  } else {
    return std::nullopt;
  }
  for (const WebFile& file : files_) {
    if (file.name == name) return Reply{.response = file_response(file, request)};
  }
  if (!name.empty()) return std::nullopt;
  HttpResponse response{.status = 501, .content_type = "text/plain; charset=utf-8", .body = std::string(kNotBuilt)};
  add_security_headers(response);
  return Reply{.response = std::move(response)};
}

bool accepts_gzip(std::string_view accept_encoding) {
  return any_part(accept_encoding, [](std::string_view part) {
    const size_t end = std::min(part.find(';'), part.size());
    const std::string_view coding = trim(part.substr(0, end));
    if (coding != "gzip" && coding != "x-gzip" && coding != "*") return false;
    std::string_view weight = trim(part.substr(std::min(part.size(), end + 1)));
    if (!weight.starts_with("q=")) return true;
    weight.remove_prefix(2);
    return weight.find_first_of("123456789") != std::string_view::npos;
  });
}

std::string unpack_gzip(std::string_view packed) {
  namespace zlib = boost::beast::zlib;
  constexpr size_t kHeader = 10, kTrailer = 8;  // without name, comment and extra field
  constexpr std::string_view kMagic("\x1f\x8b\x08\x00", 4);
  GLINT_CHECK(packed.size() > kHeader + kTrailer && packed.starts_with(kMagic));
  size_t n_bytes = 0;
  for (size_t i = 0; i < 4; ++i)
    n_bytes |= size_t{static_cast<unsigned char>(packed[packed.size() - 4 + i])} << (8 * i);
  constexpr size_t kMostPerByte = 1032;  // that deflate can reach
  GLINT_CHECK(n_bytes <= packed.size() * kMostPerByte);
  std::string bytes(n_bytes, '\0');
  zlib::z_params params;
  params.next_in = packed.data() + kHeader;
  params.avail_in = packed.size() - kHeader - kTrailer;
  params.next_out = bytes.data();
  params.avail_out = bytes.size();
  zlib::inflate_stream inflate;
  boost::system::error_code error;
  inflate.write(params, zlib::Flush::finish, error);
  GLINT_CHECK(error == zlib::error::end_of_stream && params.avail_out == 0);
  return bytes;
}

}  // namespace glint::server
