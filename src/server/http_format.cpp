// SPDX-License-Identifier: Apache-2.0
#include "server/http_format.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>
#include <charconv>

namespace glint::server {
namespace {

void append_header(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  for (const char c : value) {
    if (c != '\r' && c != '\n') head += c;
  }
  head += "\r\n";
}

}  // namespace

std::string format_head(const HttpResponse& response, Framing framing, bool keep_alive) {
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
  append_header(head, "Server", "glint");
  const bool has_body = response.status != 204 && response.status != 304;
  if (has_body) append_header(head, "Content-Type", response.content_type);
  if (has_body && framing == Framing::kLength) append_header(head, "Content-Length", std::to_string(response.body.size()));
  if (framing == Framing::kChunked) append_header(head, "Transfer-Encoding", "chunked");
  if (framing != Framing::kLength) append_header(head, "Cache-Control", "no-cache");
  for (const auto& [name, value] : response.headers) append_header(head, name, value);
  append_header(head, "Connection", keep_alive ? "keep-alive" : "close");
  return head + "\r\n";
}

std::string format_chunk(std::string_view bytes) {
  return bytes.empty() ? std::string() : fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, value, 16).ptr != end) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(pair.size(), equals + 1));
  }
  return std::nullopt;
}

}  // namespace glint::server
