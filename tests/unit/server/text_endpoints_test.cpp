// SPDX-License-Identifier: Apache-2.0
//
// Endpoints that need no generation: tokens, templates, and what the server says of itself.
#include <filesystem>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

TEST(TextEndpoints, TokensAndBack) {
  const Json tokens = ask_json(demo(), post("/tokenize", {{"content", "Hello there, 世界"}}))["tokens"];
  EXPECT_EQ(tokens.get<std::vector<int32_t>>(), demo().tokenizer().encode("Hello there, 世界", {.parse_special = true}));
  EXPECT_EQ(ask_json(demo(), post("/detokenize", {{"tokens", tokens}}))["content"], "Hello there, 世界");
}

TEST(TextEndpoints, PiecesAreTextOrBytes) {
  std::string bytes;
  const Json tokens = ask_json(demo(), post("/tokenize", {{"content", "a 世"}, {"with_pieces", true}}))["tokens"];
  for (const Json& token : tokens) {
    if (token["piece"].is_string()) {
      bytes += token["piece"].get<std::string>();
    } else {
      for (const Json& byte : token["piece"]) bytes += static_cast<char>(byte.get<int>());
    }
  }
  EXPECT_EQ(bytes, "a 世");
}

TEST(TextEndpoints, IdsMustBeTokens) {
  for (const char* tokens : {"[1,8192]", "[-1]", "[1.5]", "[\"1\"]", "[[1]]", "[18446744073709551615]"}) {
    EXPECT_NE(error_of(demo(), post("/detokenize", Json::parse(std::string("{\"tokens\":") + tokens + "}"))).find("tokens["),
              std::string::npos)
        << tokens;
  }
  EXPECT_EQ(error_of(demo(), post("/detokenize", Json::object())), "tokens: expected an array of token ids, found nothing");
  EXPECT_NE(error_of(demo(), post("/tokenize", {{"content", 5}})).find("content"), std::string::npos);
  EXPECT_NE(error_of(demo(), post("/tokenize", "{\"content\": \"\xff\"}")).find("UTF-8"), std::string::npos);
}

std::string prompt_of(const Json& messages) {
  return ask_json(demo(), post("/apply-template", {{"messages", messages}}))["prompt"];
}

TEST(TextEndpoints, ApplyTemplateTakesEveryShapeOfMessage) {  // REPORTS F18, F19
  const Json user = {{"role", "user"}, {"content", "hi"}};
  EXPECT_EQ(prompt_of(Json::array({user})), "[gMASK]<sop><|user|>hi<|assistant|><think>");
  EXPECT_EQ(prompt_of(Json::parse(R"([{"role":"user","content":[{"type":"text","text":"hi"}],"name":"x","zz":[1]}])")),
            prompt_of(Json::array({user})));
  const std::string late = prompt_of({{{"role", "system"}, {"content", "one"}}, user,
                                      {{"role", "assistant"}, {"content", "yes"}, {"tool_calls", Json::array()}},
                                      {{"role", "developer"}, {"content", "two"}}, user});
  for (const char* text : {"one", "two"}) {
    ASSERT_NE(late.find(text), std::string::npos) << late;
    EXPECT_EQ(late.find(text), late.rfind(text)) << late;
  }
  const Json calls = Json::parse(R"([{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}])");
  EXPECT_NE(prompt_of({user, {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", calls}},
                       {{"role", "tool"}, {"content", "42"}, {"tool_call_id", "c"}}})
                .find("<arg_key>a</arg_key>"),
            std::string::npos);
}

TEST(TextEndpoints, ALastMessageOfTheAssistantIsContinued) {
  const Json messages = {{{"role", "user"}, {"content", "hi"}}, {{"role", "assistant"}, {"content", "Dear"}}};
  EXPECT_EQ(prompt_of(messages), "[gMASK]<sop><|user|>hi<|assistant|><think></think>Dear");
}

TEST(TextEndpoints, MessagesThatAreNoChatAreNamed) {
  const auto refusal = [](const char* messages) {
    return error_of(demo(), post("/apply-template", std::string("{\"messages\":") + messages + "}"));
  };
  EXPECT_NE(refusal("[]").find("at least one"), std::string::npos);
  EXPECT_NE(refusal("5").find("messages"), std::string::npos);
  EXPECT_NE(refusal("[5]").find("messages[0]"), std::string::npos);
  EXPECT_NE(refusal(R"([{"role":"user","content":"a"},{"content":"b"}])").find("messages[1].role"), std::string::npos);
  EXPECT_NE(refusal(R"([{"role":"king","content":"a"}])").find("king"), std::string::npos);
  EXPECT_NE(refusal(R"([{"role":"user","content":7}])").find("messages[0].content"), std::string::npos);
  EXPECT_NE(refusal(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])").find("image"),
            std::string::npos);
  EXPECT_NE(refusal(R"([{"role":"assistant","content":"a"}])").find("before"), std::string::npos);
  std::string many = "[";
  for (int i = 0; i < 10'001; ++i) many += std::string(i ? "," : "") + R"({"role":"user","content":""})";
  EXPECT_NE(refusal((many + "]").c_str()).find("most"), std::string::npos);
}

TEST(TextEndpoints, TextBeginsOnce) {  // REPORTS C08
  const std::string path = GLINT_SHARED "/golden/llama2.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no reference data folder";
  const auto n_prompt = [&](const char* source, const char* where, const Json& body) {
    EngineOptions options;
    options.n_threads = 1;
    options.n_ctx = 64;
    Engine engine = Engine::open(gguf::File::open(path), options);
    const Vocab& vocab = engine.tokenizer().vocab();
    EXPECT_TRUE(vocab.add_bos());
    const std::string bos(vocab.bytes(vocab.special().bos.value()));
    ChatTemplate chat(source, {{"bos_token", bos}});
    Service service(std::move(engine), {}, std::move(chat), {});
    return ask_json(service, post(where, body))["usage"]["prompt_tokens"].get<int>();
  };
  const Json chat = {{"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}, {"max_tokens", 1}};
  const char* const plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
  const char* const with_bos = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
  const int n = n_prompt(plain, "/v1/completions", {{"prompt", "Hello"}, {"max_tokens", 1}});
  EXPECT_EQ(n_prompt(plain, "/v1/chat/completions", chat), n) << "the vocabulary adds one";
  EXPECT_EQ(n_prompt(with_bos, "/v1/chat/completions", chat), n) << "the template wrote it already";
}

TEST(StatusEndpoints, CapabilitiesNameEveryField) {
  const Json can = ask_json(demo(), get("/v1/capabilities"));
  EXPECT_EQ(can["tool_calls"], "glm");
  EXPECT_EQ(can["thinking"]["close"], "</think>");
  EXPECT_EQ(can["fields"]["temperature"], "supported");
  EXPECT_EQ(can["fields"]["service_tier"], "ignored");
  EXPECT_EQ(can["fields"]["suffix"], "refused");
}

TEST(StatusEndpoints, SayWhatIsServed) {
  const Json models = ask_json(demo(), get("/v1/models"));
  EXPECT_EQ(models["data"][0]["id"], "demo");
  EXPECT_EQ(models["data"][1]["id"], "other-name");
  EXPECT_EQ(models["data"][0]["meta"]["n_vocab"], 8192);
  EXPECT_EQ(ask_json(demo(), get("/v1/models/other-name"))["id"], "other-name");
  EXPECT_EQ(ask(demo(), get("/v1/models/third")).status, 404);
  const Json props = ask_json(demo(), get("/props"));
  EXPECT_EQ(props["total_slots"], 4);
  EXPECT_EQ(props["default_generation_settings"]["n_ctx"], 512);
  EXPECT_EQ(props["sampling_origins"]["temperature"], "model file");
  EXPECT_EQ(props["bos_token"], "[gMASK]");
}

}  // namespace
}  // namespace glint::server
