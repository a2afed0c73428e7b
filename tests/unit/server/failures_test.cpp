// SPDX-License-Identifier: Apache-2.0
//
// Answers that fail amid their text: the error is the last event of a stream, in each API's frame, and the status of a
// whole answer; whoever else asks is served. The failure is an honest one: the model has to write a letter that it may not.
#include <algorithm>
#include <limits>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

/// A service whose flags ban every token for which `is_banned`.
template <class Predicate>
std::shared_ptr<Service> service_without(Predicate&& is_banned) {
  ServiceSetup setup;
  const Vocab& vocab = demo().tokenizer().vocab();
  for (int32_t id = 0; id < demo().engine().model().spec.n_vocab; ++id) {
    if (is_banned(id < vocab.size() ? vocab.bytes(id) : "")) setup.service.sampling.logit_bias.emplace_back(id, kBanned);
  }
  return make_service(setup);
}

struct Question {
  const char* path;
  Json body;
};

/// The same in every API: answer "aaaaaq", as JSON.
std::vector<Question> questions() {
  const Json schema = {{"const", "aaaaaq"}};
  const Json messages = Json::array({{{"role", "user"}, {"content", "Hello"}}});
  return {{"/v1/chat/completions", {{"messages", messages}, {"thinking", false},
                                    {"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", schema}}}}}}},
          {"/v1/completions", {{"prompt", "Hello"}, {"json_schema", schema}}},
          {"/completion", {{"prompt", "Hello"}, {"json_schema", schema}}},
          {"/v1/messages", {{"messages", messages}, {"max_tokens", 50}, {"thinking", {{"type", "disabled"}}},
                            {"output_config", {{"format", {{"type", "json_schema"}, {"schema", schema}}}}}}},
          {"/v1/responses", {{"input", "Hello"}, {"reasoning", {{"effort", "none"}}},
                             {"text", {{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", schema}}}}}}},
          {"/api/chat", {{"messages", messages}, {"think", false}, {"format", schema}}},
          {"/api/generate", {{"prompt", "Hello"}, {"raw", true}, {"format", schema}}}};
}

constexpr const char* kReason = "no token can be chosen";

TEST(Failures, AreTheLastEventOfAStream) {  // REPORTS F07, E07
  const std::shared_ptr<Service> service = service_without([](std::string_view bytes) { return bytes.find('q') != bytes.npos; });
  for (Question question : questions()) {
    SCOPED_TRACE(question.path);
    question.body["stream"] = true;
    const std::string body = ask(*service, post(question.path, question.body)).body;
    const size_t at = body.find(kReason);
    ASSERT_NE(at, std::string::npos) << body;
    EXPECT_EQ(body.find(kReason, at + 1), std::string::npos) << "said once";
    EXPECT_GT(std::count(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(at), 'a'), 5) << "and text came before it";
    EXPECT_EQ(body.find("[DONE]"), std::string::npos);
    if (question.path[1] == 'a') {  // Ollama's lines
      const size_t line = body.rfind('\n', body.size() - 2) + 1;
      EXPECT_TRUE(Json::parse(body.substr(line))["error"].is_string()) << body;
      continue;
    }
    const Json last = sse_events(body).back();
    if (std::string_view(question.path) == "/v1/messages") {
      EXPECT_EQ(last["type"], "error");
      EXPECT_EQ(last["error"]["type"], "api_error");
      EXPECT_NE(body.find("event: error\ndata: "), std::string::npos);
    } else if (std::string_view(question.path) == "/v1/responses") {
      EXPECT_EQ(last["type"], "error");
      EXPECT_TRUE(last["message"].is_string());
    } else {
      EXPECT_EQ(last["error"]["code"], 500);
    }
  }
  EXPECT_EQ(service->batch().status().n_open, 0);
  EXPECT_EQ(ask(*service, post("/completion", {{"prompt", "Hello"}, {"n_predict", 3}})).status, 200);
}

TEST(Failures, AreTheStatusOfAWholeAnswer) {  // REPORTS F07
  const std::shared_ptr<Service> service = service_without([](std::string_view bytes) { return bytes.find('q') != bytes.npos; });
  for (Question question : questions()) {
    SCOPED_TRACE(question.path);
    question.body["stream"] = false;
    const Json body = ask_json(*service, post(question.path, question.body), 500);
    EXPECT_NE(to_text(body).find(kReason), std::string::npos) << body;
    EXPECT_EQ(body["error"].is_string(), question.path[1] == 'a');
    EXPECT_EQ(body.contains("type"), std::string_view(question.path) == "/v1/messages");
  }
}

TEST(Failures, OneEndsNobodyElse) {  // REPORTS E07
  const std::shared_ptr<Service> service = service_without([](std::string_view bytes) { return bytes.find('q') != bytes.npos; });
  const Endpoints endpoints(*service);
  const Json story = {{"prompt", "Once upon a time"}, {"n_predict", 60}, {"temperature", 0}};
  const std::string alone = ask(*service, post("/completion", story)).body;
  Reply reply = endpoints.handle(post("/completion", story));
  for (Question question : questions()) {
    question.body["stream"] = false;
    EXPECT_EQ(ask(*service, post(question.path, question.body)).status, 500);
  }
  EXPECT_EQ(Json::parse(read_all(std::move(reply)).body)["content"], Json::parse(alone)["content"]);
}

TEST(Failures, NothingThatMayBeChosenIsAnError) {  // REPORTS D06
  const std::shared_ptr<Service> service = service_without([](std::string_view) { return true; });
  for (const double temperature : {0.0, 1.0}) {
    ask_json(*service, post("/completion", {{"prompt", "Hello"}, {"temperature", temperature}}), 500);
  }
  EXPECT_EQ(ask(*service, get("/health")).status, 200);
  EXPECT_EQ(service->batch().status().n_open, 0);
}

}  // namespace
}  // namespace glint::server
