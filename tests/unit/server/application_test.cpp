// SPDX-License-Identifier: Apache-2.0
//
// Who may ask, what is said while the model loads, and errors in each API's shape.
#include "server/application.h"

#include "server/http_format.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

std::string header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST(Application, SaysThatTheModelLoads) {
  const Application application({});
  const Reply reply = application.handle(get("/health"));
  EXPECT_EQ(reply.response.status, 503);
  EXPECT_EQ(reply.response.body, R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})");
}

TEST(Application, KeysOpenAllButThePublicPaths) {
  Application application({.api_keys = {"first", "second"}, .origins = {}, .prefix = ""});
  application.set_models(std::make_shared<Models>(make_service()));
  const auto status = [&](const std::string& path, const std::string& name, const std::string& value) {
    HttpRequest request = get(path);
    request.headers[name] = value;
    return application.handle(std::move(request)).response.status;
  };
  EXPECT_EQ(status("/health", "x", ""), 200);
  EXPECT_EQ(status("/v1/models", "x", ""), 200);
  EXPECT_EQ(status("/props", "x", ""), 401);
  EXPECT_EQ(status("/props", "authorization", "Bearer firs"), 401);
  EXPECT_EQ(status("/props", "authorization", "Bearer "), 401);
  EXPECT_EQ(status("/props", "authorization", "Bearer first"), 200);
  EXPECT_EQ(status("/props", "authorization", "bearer second"), 200);
  EXPECT_EQ(status("/props", "x-api-key", "second"), 200);
  EXPECT_EQ(status("/nothing", "x", ""), 401);  // what exists is nobody's business
}

TEST(Application, CorsIsOffUnlessOriginsAreNamed) {  // REPORTS F11
  HttpRequest request = get("/health");
  request.headers["origin"] = "http://a.b";
  EXPECT_EQ(header(Application({}).handle(request).response, "Access-Control-Allow-Origin"), "");
  const Application one({.api_keys = {"key"}, .origins = {"http://a.b"}, .prefix = ""});
  EXPECT_EQ(header(one.handle(request).response, "Access-Control-Allow-Origin"), "http://a.b");  // on errors too
  request.path = "/props";
  request.method = "OPTIONS";
  const HttpResponse preflight = one.handle(request).response;
  EXPECT_EQ(preflight.status, 204);
  for (const char* name : {"authorization", "content-type", "x-api-key"}) {
    EXPECT_NE(header(preflight, "Access-Control-Allow-Headers").find(name), std::string::npos);
  }
  request.headers["origin"] = "http://evil";
  EXPECT_EQ(header(one.handle(request).response, "Access-Control-Allow-Origin"), "");
}

TEST(Application, OriginsMayReadErrorsAndStreams) {  // REPORTS F11
  Application application({.api_keys = {"key"}, .origins = {"http://a.b"}, .prefix = ""});
  application.set_models(std::make_shared<Models>(make_service()));
  const auto origin_of = [&](HttpRequest request, int status, const std::string& key = "key") {
    request.headers["origin"] = "http://a.b";
    request.headers["x-api-key"] = key;
    Reply reply = application.handle(std::move(request));
    const HttpResponse head = reply.response;  // what its connection sends with any body
    EXPECT_EQ(read_all(std::move(reply)).status, status);
    EXPECT_EQ(header(head, "Access-Control-Allow-Credentials"), "");
    return header(head, "Access-Control-Allow-Origin");
  };
  EXPECT_EQ(origin_of(get("/props"), 401, "wrong"), "http://a.b");
  EXPECT_EQ(origin_of(post("/completion", Json::object()), 400), "http://a.b");
  EXPECT_EQ(origin_of(get("/nothing"), 404), "http://a.b");
  EXPECT_EQ(origin_of(get("/health"), 200, ""), "http://a.b");
  EXPECT_EQ(origin_of(post("/completion", {{"prompt", "A"}, {"n_predict", 2}}), 200), "http://a.b");
  EXPECT_EQ(origin_of(post("/completion", {{"prompt", "A"}, {"n_predict", 2}, {"stream", true}}), 200), "http://a.b");
}

TEST(Application, PrefixStandsBeforeEveryPath) {
  Application application({.api_keys = {}, .origins = {}, .prefix = "/llm"});
  application.set_models(std::make_shared<Models>(make_service()));
  EXPECT_EQ(application.handle(get("/llm/health")).response.status, 200);
  EXPECT_EQ(application.handle(get("/health")).response.status, 404);
}

TEST(Router, ErrorsHaveTheShapeOfTheApi) {
  EXPECT_EQ(ask_json(demo(), get("/nope"), 404)["error"]["type"], "not_found_error");
  EXPECT_EQ(ask_json(demo(), get("/v1/messages/nope"), 404)["type"], "error");
  EXPECT_TRUE(ask_json(demo(), get("/api/nope"), 404)["error"].is_string());
  const HttpResponse wrong_method = ask(demo(), get("/tokenize"));
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(header(wrong_method, "Allow"), "POST");
}

TEST(Router, WhatAnEndpointThrowsBecomesAResponse) {
  Router router;
  router.add("GET", "/error", [](const HttpRequest&) -> Reply { fail("wrong"); });
  router.add("GET", "/bug", [](const HttpRequest&) -> Reply { throw std::logic_error("bug"); });
  router.add("GET", "/memory", [](const HttpRequest&) -> Reply { throw std::bad_alloc(); });
  router.add("GET", "/tail/*", [](const HttpRequest& request) { return json_reply(request.path_tail); });
  EXPECT_EQ(router.handle(get("/error")).response.status, 400);
  EXPECT_EQ(router.handle(get("/bug")).response.status, 500);
  EXPECT_EQ(router.handle(get("/memory")).response.status, 503);
  EXPECT_EQ(router.handle(get("/tail/a/b")).response.body, "\"a/b\"");
  EXPECT_EQ(router.handle(get("/tail/")).response.status, 404);
}

TEST(HttpFormat, HeadsAndChunks) {
  HttpResponse response{.status = 404, .content_type = "text/plain", .body = "gone"};
  response.headers.emplace_back("X-Name", "a\r\nEvil: b");
  EXPECT_EQ(format_head(response, Framing::kLength, true),
            "HTTP/1.1 404 Not Found\r\nServer: glint\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"
            "X-Name: aEvil: b\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(format_head(response, Framing::kChunked, false).find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(format_chunk("0123456789abcdef"), "10\r\n0123456789abcdef\r\n");
  EXPECT_EQ(format_chunk(""), "");
  EXPECT_EQ(decode_percent("a%2Fb%20"), "a/b ");
  EXPECT_EQ(decode_percent("a%2"), std::nullopt);
  EXPECT_EQ(decode_percent("%zz"), std::nullopt);
  EXPECT_EQ(query_value("a=1&bc=2&c", "bc"), "2");
  EXPECT_EQ(query_value("a=1&bc=2&c", "c"), "");
  EXPECT_EQ(query_value("a=1", "b"), std::nullopt);
}

}  // namespace
}  // namespace glint::server
