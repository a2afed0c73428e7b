// SPDX-License-Identifier: Apache-2.0
//
// /openapi.json names exactly the endpoints that there are, and the members that count.
#include <gmock/gmock.h>

#include <set>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

Json document() { return ask_json(demo(), get("/openapi.json")); }

TEST(OpenApi, HasEveryEndpointAndNoOther) {
  std::vector<std::string> described;
  const Json paths = document()["paths"];
  for (const auto& [path, methods] : paths.items()) {
    const std::string route = path.find('{') == std::string::npos ? path : path.substr(0, path.find('{')) + "*";
    for (const auto& [method, operation] : methods.items()) {
      described.push_back((method == "get" ? "GET " : method == "post" ? "POST " : "DELETE ") + route);
      EXPECT_EQ(operation.contains("requestBody"), method == "post") << route;
    }
  }
  Models models({&demo(), [](Service*) {}});
  EXPECT_THAT(described, testing::UnorderedElementsAreArray(make_router(models).routes()));
}

TEST(OpenApi, NamesTheSupportedMembers) {
  std::set<std::string> named;
  const Json paths = document()["paths"];
  for (const auto& [path, methods] : paths.items()) {
    if (!methods.contains("post")) continue;
    const Json schema = methods["post"]["requestBody"]["content"]["application/json"]["schema"];
    if (!schema.contains("properties")) continue;
    const Json properties = schema["properties"];
    for (const auto& [name, unused] : properties.items()) named.insert(name);
    if (!properties.contains("options")) continue;
    const Json options = properties["options"]["properties"];
    for (const auto& [name, unused] : options.items()) named.insert(name);
  }
  const Json fields = ask_json(demo(), get("/v1/capabilities"))["fields"];
  for (const auto& [name, what] : fields.items()) {
    EXPECT_TRUE(what != "supported" || named.contains(name)) << name;
  }
}

TEST(SwitchedOff, SaysHowToSwitchItOn) {
  EXPECT_THAT(error_of(demo(), post("/props", Json::object()), 501), testing::HasSubstr("--props"));
  ServiceSetup setup;
  setup.service.may_change_props = true;
  const std::shared_ptr<Service> open = make_service(setup);
  const Json changed = ask_json(*open, post("/props", {{"x", 1}}));
  EXPECT_EQ(changed["success"], true);
  EXPECT_EQ(changed["warnings"], Json::array({"x: ignored"}));
}

}  // namespace
}  // namespace glint::server
