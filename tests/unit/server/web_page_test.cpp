// SPDX-License-Identifier: Apache-2.0
//
// How the web page is served: types, packing, ETags, the headers that confine it, and that it can be switched off.
#include "server/web_page.h"

#include <gmock/gmock.h>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::HasSubstr;
using testing::Not;

/// `printf '<p>page' | gzip -9 -n`.
constexpr std::string_view kPacked(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xb3\x29\xb0\x2b\x48\x4c\x4f\x05\x00\x42\x72\xd2\xd2\x07\x00\x00\x00", 27);
constexpr std::string_view kText = "<p>page";
const WebFile kFiles[] = {{"", "text/html; charset=utf-8", "\"aa\"", kPacked, true},
                          {"a.woff2", "font/woff2", "\"bb\"", "font", false}};

std::string header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

HttpResponse open(const std::string& path, std::map<std::string, std::string> headers = {}) {
  HttpRequest request = get(path);
  request.headers = std::move(headers);
  std::optional<Reply> reply = WebPage(kFiles).answer(request);
  if (!reply) return {.status = 0};
  return std::move(reply->response);
}

TEST(WebPage, IsPackedForThoseWhoTakeIt) {
  const HttpResponse packed = open("/", {{"accept-encoding", "deflate, gzip;q=0.5"}});
  EXPECT_EQ(packed.status, 200);
  EXPECT_EQ(packed.body, kPacked);
  EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(packed.content_type, "text/html; charset=utf-8");
  const HttpResponse plain = open("/index.html");
  EXPECT_EQ(plain.body, kText);
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding");
  EXPECT_EQ(open("/web/a.woff2", {{"accept-encoding", "gzip"}}).body, "font");
  EXPECT_EQ(header(open("/web/a.woff2", {{"accept-encoding", "gzip"}}), "Content-Encoding"), "");
}

TEST(WebPage, ReadsAcceptEncoding) {
  for (const char* yes : {"gzip", "br, gzip", "*", " gzip ; q=0.001", "gzip;q=1"})
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const char* no : {"", "br", "gzip;q=0", "gzip; q=0.000", "gzipped", "identity"})
    EXPECT_FALSE(accepts_gzip(no)) << no;
}

TEST(WebPage, IsNotSentTwice) {
  const HttpResponse first = open("/");
  EXPECT_EQ(header(first, "ETag"), "\"aa\"");
  EXPECT_EQ(header(first, "Cache-Control"), "no-cache");
  for (const char* known : {"\"aa\"", "\"x\", W/\"aa\"", "*"}) {
    const HttpResponse again = open("/", {{"if-none-match", known}});
    EXPECT_EQ(again.status, 304) << known;
    EXPECT_EQ(again.body, "");
    EXPECT_EQ(header(again, "ETag"), "\"aa\"");
  }
  EXPECT_EQ(open("/", {{"if-none-match", "\"a\""}}).status, 200);
  EXPECT_THAT(header(open("/web/a.woff2"), "Cache-Control"), HasSubstr("immutable"));
}

TEST(WebPage, IsConfined) {
  for (const char* path : {"/", "/web/a.woff2"}) {
    const std::string policy = header(open(path), "Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'self';"));
    EXPECT_THAT(policy, HasSubstr("require-trusted-types-for 'script'"));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_THAT(policy, Not(HasSubstr("http")));
    EXPECT_EQ(header(open(path), "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(open(path), "Referrer-Policy"), "no-referrer");
  }
}

TEST(WebPage, LeavesOtherPathsAlone) {
  for (const char* path : {"/web", "/web/", "/web/b", "/web/../", "/props", "/web/a.woff2/"})
    EXPECT_EQ(open(path).status, 0) << path;
  HttpRequest request = get("/");
  request.method = "POST";
  EXPECT_FALSE(WebPage(kFiles).answer(request).has_value());
}

TEST(WebPage, SaysThatItWasNotBuilt) {
  const std::optional<Reply> reply = WebPage(std::span<const WebFile>()).answer(get("/"));
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->response.status, 501);
  EXPECT_THAT(reply->response.content_type, HasSubstr("text/plain"));
  EXPECT_THAT(reply->response.body, HasSubstr("without its web page"));
}

TEST(WebPage, EveryFileInTheBinaryUnpacks) {
  for (const WebFile& file : web_files()) {
    EXPECT_FALSE(file.content_type.empty()) << file.name;
    EXPECT_GT(file.is_gzip ? unpack_gzip(file.bytes).size() : file.bytes.size(), 100u) << file.name;
  }
}

TEST(WebPage, BrokenPackingIsFound) {
  for (size_t n = 0; n < kPacked.size(); ++n) EXPECT_ANY_THROW(unpack_gzip(kPacked.substr(0, n))) << n;
}

TEST(WebPage, NeedsNeitherModelNorKeyAndCanBeOff) {
  const Application with({.api_keys = {"key"}, .origins = {}, .prefix = "/llm"});
  const HttpResponse page = with.handle(get("/llm/")).response;
  EXPECT_EQ(page.status, web_files().empty() ? 501 : 200);
  EXPECT_EQ(with.handle(get("/llm/props")).response.status, 401);
  Application without({.api_keys = {}, .origins = {}, .prefix = "", .web_page = false});
  without.set_models(std::make_shared<Models>(make_service()));
  EXPECT_EQ(without.handle(get("/")).response.status, 404);
  EXPECT_EQ(without.handle(post("/web/pdf-text", "%PDF-")).response.status, 404);
}

}  // namespace
}  // namespace glint::server
