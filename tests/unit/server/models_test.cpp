// SPDX-License-Identifier: Apache-2.0
//
// Several models behind one server: picked by name, loaded when asked for, unloaded for each other and when idle, never
// under an answer.
#include "server/models.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "server/api_error.h"
#include "server/model_folder.h"
#include "server/on_model.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Models a, b and c: the demo model each, under a memory for `n_fitting` of them.
class ModelsTest : public testing::Test {
 protected:
  void start(int n_loaded, int n_fitting = 10, std::chrono::milliseconds idle = {}) {
    std::vector<ModelEntry> entries;
    for (const char* name : {"a", "b", "c"}) entries.push_back({.names = {name}, .file_bytes = 7, .modified = 5});
    const auto load = [this, n_fitting](const ModelEntry& entry, bool has_others, const std::atomic<bool>&) -> std::shared_ptr<Service> {
      ++n_loads_;
      EXPECT_EQ(has_others, n_alive_ > 0);
      if (entry.names[0] == broken_) fail("the file is broken");
      if (n_alive_ >= n_fitting) throw OutOfMemory("no room");
      ++n_alive_;
      const std::shared_ptr<Service> service = make_service({.n_ctx = 256, .n_sequences = 2}, entry.names);
      return {service.get(), [this, service](Service*) { --n_alive_; }};
    };
    models_ = std::make_unique<Models>(std::move(entries), load, ModelsOptions{.n_loaded = n_loaded, .idle = idle});
    router_ = make_router(*models_);
  }
  Reply reply(const std::string& path, const Json& body) { return router_.handle(post(path, body)); }
  static Json completion(const std::string& model, int n = 2) {
    return {{"model", model}, {"prompt", "Hello"}, {"max_tokens", n}, {"temperature", 0}, {"ignore_eos", true}};
  }
  Json answer(const std::string& model) {
    const HttpResponse response = read_all(reply("/v1/completions", completion(model)));
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body);
  }
  std::vector<std::string> loaded() {
    std::vector<std::string> names;
    const Json listed = Json::parse(router_.handle(get("/v1/models")).response.body);
    for (const Json& model : listed["data"]) {
      if (model["status"]["value"] == "loaded") names.push_back(model["id"]);
    }
    return names;
  }

  std::string broken_;
  std::atomic<int> n_loads_ = 0, n_alive_ = 0;
  std::unique_ptr<Models> models_;
  Router router_;
};

TEST_F(ModelsTest, AreLoadedWhenTheyAreNamed) {
  start(3);
  EXPECT_THAT(loaded(), ElementsAre());
  EXPECT_EQ(answer("b")["model"], "b");
  EXPECT_THAT(loaded(), ElementsAre("b"));
  EXPECT_EQ(answer("a:latest")["model"], "a");
  EXPECT_EQ(answer("b")["model"], "b");
  EXPECT_EQ(n_loads_, 2);
  Json unnamed = completion("");
  unnamed.erase("model");  // the one used last
  EXPECT_EQ(Json::parse(read_all(reply("/v1/completions", unnamed)).body)["model"], "b");
  const HttpResponse chat = read_all(reply("/api/chat", {{"model", "c"}, {"stream", false}, {"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})},
                                                         {"options", {{"num_predict", 1}}}}));
  EXPECT_EQ(chat.status, 200) << chat.body;
  EXPECT_THAT(loaded(), ElementsAre("a", "b", "c"));
}

TEST_F(ModelsTest, AnUnknownNameIsToldThoseThereAre) {
  start(3);
  const auto refusal = [&](const char* path) {
    const HttpResponse response = read_all(reply(path, completion("nothing")));
    EXPECT_EQ(response.status, 404);
    return Json::parse(response.body);
  };
  EXPECT_EQ(refusal("/v1/chat/completions")["error"]["type"], "not_found_error");
  EXPECT_THAT(refusal("/v1/chat/completions")["error"]["message"].get<std::string>(), HasSubstr("a, b, c"));
  EXPECT_EQ(refusal("/v1/messages")["type"], "error");
  EXPECT_THAT(refusal("/api/chat")["error"].get<std::string>(), HasSubstr("a, b, c"));
  EXPECT_EQ(n_loads_, 0);
}

TEST_F(ModelsTest, WhatLooksLoadsNothing) {
  start(3);
  EXPECT_EQ(router_.handle(get("/metrics", "model=a")).response.status, 503);
  EXPECT_EQ(router_.handle(get("/slots", "model=a")).response.status, 503);
  EXPECT_EQ(router_.handle(get("/metrics", "model=x")).response.status, 404);
  EXPECT_EQ(Json::parse(router_.handle(get("/props", "model=b")).response.body)["is_sleeping"], true);
  EXPECT_EQ(Json::parse(router_.handle(get("/api/tags")).response.body)["models"].size(), 3u);
  EXPECT_EQ(Json::parse(router_.handle(get("/api/ps")).response.body)["models"].size(), 0u);
  EXPECT_EQ(n_loads_, 0);
  answer("b");
  EXPECT_EQ(router_.handle(get("/metrics", "model=b")).response.status, 200);
  EXPECT_EQ(Json::parse(router_.handle(get("/api/ps")).response.body)["models"][0]["name"], "b");
}

TEST_F(ModelsTest, TheOneUsedLeastRecentlyGoesWhenThereAreTooMany) {
  start(2);
  answer("a");
  answer("b");
  answer("a");
  answer("c");
  EXPECT_THAT(loaded(), ElementsAre("a", "c"));
  EXPECT_EQ(n_alive_, 2);
}

TEST_F(ModelsTest, AndWhenMemoryDoesNotSuffice) {
  start(3, /*n_fitting=*/1);
  answer("a");
  answer("b");
  EXPECT_THAT(loaded(), ElementsAre("b"));
  broken_ = "c";  // which is no reason for another to go
  const HttpResponse broken = read_all(reply("/v1/completions", completion("c")));
  EXPECT_EQ(broken.status, 503);
  EXPECT_THAT(broken.body, HasSubstr("broken"));
  EXPECT_THAT(loaded(), ElementsAre("b"));
}

TEST_F(ModelsTest, AModelThatFitsNowhereIsAnError) {
  start(3, /*n_fitting=*/0);
  const HttpResponse refused = read_all(reply("/v1/completions", completion("c")));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("no room"));
}

TEST_F(ModelsTest, AnAnswerKeepsItsModelAndWhoWaitsIsServedAfterIt) {
  start(1);
  answer("a");
  Json endless = completion("a", 200);
  endless["stream"] = true;
  Reply running = reply("/v1/completions", endless);
  Reply waiting = reply("/v1/completions", completion("b"));
  while (models_->look(0)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // "a" is on its way out, so this one comes after "b".
  Reply later = reply("/v1/completions", completion("a"));
  ASSERT_TRUE(waiting.rest);
  EXPECT_EQ(waiting.rest->become(), nullptr);
  EXPECT_THAT(read_all(std::move(running)).body, HasSubstr("[DONE]"));
  running.rest.reset();
  EXPECT_EQ(Json::parse(read_all(std::move(waiting)).body)["model"], "b");
  waiting.rest.reset();
  EXPECT_EQ(Json::parse(read_all(std::move(later)).body)["model"], "a");
  EXPECT_EQ(n_loads_, 3);
}

TEST_F(ModelsTest, WhoGoesAwayWhileItLoadsIsForgotten) {
  start(1);
  Json endless = completion("a", 200);
  answer("a");
  Reply running = reply("/v1/completions", endless);
  { const Reply gone = reply("/v1/completions", completion("b")); }
  Reply stopped = reply("/v1/completions", completion("c"));
  stopped.rest->cancel();
  EXPECT_EQ(read_all(std::move(stopped)).status, 503);
  running.rest.reset();
  EXPECT_EQ(answer("c")["model"], "c");
}

TEST_F(ModelsTest, AnIdleModelSleepsUntilItIsNeeded) {
  start(3, 10, std::chrono::milliseconds(30));
  answer("a");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (n_alive_ > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(n_alive_, 0);
  EXPECT_EQ(answer("a")["model"], "a");
  EXPECT_EQ(n_loads_, 2);
}

TEST(NamedModel, IsFoundInBodyOrQuery) {
  EXPECT_EQ(named_model(post("/x", R"({"a":[{"model":"no"}],"b":{"model":"no"},"model":"yes","c":)")), "yes");
  EXPECT_EQ(named_model(post("/x", R"({"model":5})")), "");
  EXPECT_EQ(named_model(post("/x", R"(["model","x"])")), "");
  EXPECT_EQ(named_model(post("/x", std::string(100'000, '['))), "");
  EXPECT_EQ(named_model(get("/x", "a=b&model=two%20words")), "two words");
}

TEST(ModelFolder, ListsFilesAndSplitSetsByName) {
  const std::filesystem::path folder = testing::TempDir() + "glint-models-" + std::to_string(getpid());
  std::filesystem::create_directories(folder / "more.gguf");
  for (const char* name : {"b.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "c-00002-of-00002.gguf", "mmproj-b.gguf", "x.txt"}) {
    std::ofstream(folder / name) << "12345";
  }
  const std::vector<ModelEntry> models = list_model_folder(folder);
  ASSERT_EQ(models.size(), 2u);
  EXPECT_THAT(models[0].names, ElementsAre("a"));
  EXPECT_THAT(models[0].path, HasSubstr("00001"));
  EXPECT_EQ(models[0].file_bytes, 10u);
  EXPECT_GT(models[0].modified, 1'600'000'000);
  EXPECT_THAT(models[1].names, ElementsAre("b"));
  std::filesystem::remove_all(folder);
  EXPECT_THROW(list_model_folder(folder), Error);
}

}  // namespace
}  // namespace glint::server
