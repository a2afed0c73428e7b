// SPDX-License-Identifier: Apache-2.0
//
// /openapi.json: every endpoint with the members of its request, as an OpenAPI 3.1 document, for tools that generate clients,
// forms or tests. What members mean is told in docs/SERVER.md.
// Tested by tests/unit/server/openapi_test.cpp and tests/integration/openapi_test.py.
#include <optional>
#include <type_traits>
#include <vector>

#include "server/endpoints.h"

namespace glint::server {
namespace {

// Schemas of members.
Json of_type(const char* type) { return {{"type", type}}; }
Json text() { return of_type("string"); }
Json flag() { return of_type("boolean"); }
Json number() { return of_type("number"); }
Json object() { return of_type("object"); }
Json count(int least, std::optional<int> most = {}) {
  Json schema = {{"type", "integer"}, {"minimum", least}};
  if (most) schema["maximum"] = *most;
  return schema;
}
Json list(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json one_of(std::vector<Json> schemas) { return {{"anyOf", std::move(schemas)}}; }
Json words(std::vector<const char*> values) { return {{"enum", std::move(values)}}; }
Json texts() { return one_of({text(), list(text())}); }
Json ids() { return list(count(0)); }
Json prompt() { return one_of({text(), ids(), list(text()), list(ids())}); }
Json schema_of(Json properties, const std::vector<const char*>& required = {}) {
  Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}
Json joined(Json left, const Json& right) {
  left.update(right);
  return left;
}

Json sampling() {
  Json properties = Json::object();
  SamplingParams params;
  for_each_setting(params, [&](const char* name, const char*, const auto& field) {
    const bool is_fraction = std::is_same_v<std::decay_t<decltype(field)>, std::optional<float>>;
    properties[name] = is_fraction ? number() : of_type("integer");
  });
  properties["samplers"] = texts();
  properties["dry_sequence_breakers"] = list(text());
  properties["logit_bias"] = one_of({object(), list(list(Json::object()))});
  return properties;
}

/// Of everything that generates.
Json generation() {
  return joined(sampling(), {{"model", text()}, {"stream", flag()}, {"stop", texts()}, {"ignore_eos", flag()}, {"n_predict", count(-1)},
                             {"id_slot", count(-1)}});
}
Json bindings() {
  return {{"json_schema", object()}, {"grammar", text()}, {"regex", text()},
          {"response_format", schema_of({{"type", words({"text", "json_object", "json_schema"})}, {"json_schema", object()}}, {"type"})}};
}
Json function_schema() {
  return schema_of({{"name", text()}, {"description", text()}, {"parameters", object()}, {"strict", flag()}}, {"name"});
}
Json parts() { return one_of({text(), list(schema_of({{"type", words({"text"})}, {"text", text()}}, {"type", "text"}))}); }

Json chat() {
  const Json call = schema_of({{"id", text()}, {"type", words({"function"})},
                               {"function", schema_of({{"name", text()}, {"arguments", one_of({text(), object()})}}, {"name"})}}, {"function"});
  const Json message = schema_of({{"role", words({"system", "developer", "user", "assistant", "tool"})},
                                  {"content", one_of({parts(), of_type("null")})}, {"reasoning_content", text()},
                                  {"tool_calls", list(call)}, {"tool_call_id", text()}}, {"role"});
  return {{"messages", list(message)},
          {"tools", list(schema_of({{"type", words({"function"})}, {"function", function_schema()}}, {"type", "function"}))},
          {"tool_choice", one_of({words({"none", "auto", "required"}),
                                  schema_of({{"type", words({"function"})}, {"function", schema_of({{"name", text()}}, {"name"})}}, {"function"})})},
          {"parallel_tool_calls", flag()}, {"chat_template_kwargs", object()}, {"reasoning_effort", text()}, {"thinking", flag()},
          {"reasoning_budget", count(-1)}, {"thinking_budget_tokens", count(-1)},
          {"reasoning_format", words({"none", "auto", "deepseek", "deepseek-legacy"})}, {"add_generation_prompt", flag()}};
}

Json openai_chat() {
  Json properties = joined(joined(chat(), generation()), bindings());
  properties.update({{"max_tokens", count(1)}, {"max_completion_tokens", count(1)}, {"n", count(1, 128)}, {"logprobs", flag()},
                     {"top_logprobs", count(0, 20)}, {"n_probs", count(0, 20)},
                     {"stream_options", schema_of({{"include_usage", flag()}})}});
  return schema_of(std::move(properties), {"messages"});
}

Json openai_completion() {
  Json properties = joined(generation(), bindings());
  properties.update({{"prompt", prompt()}, {"max_tokens", count(1)}, {"n", count(1, 128)}, {"best_of", count(1)}, {"echo", flag()},
                     {"logprobs", one_of({flag(), count(0, 20)})}, {"suffix", text()},
                     {"stream_options", schema_of({{"include_usage", flag()}})}});
  return schema_of(std::move(properties), {"prompt"});
}

Json native_completion() {
  Json properties = joined(generation(), bindings());
  properties.update({{"prompt", one_of({prompt(), schema_of({{"prompt_string", text()}}, {"prompt_string"})})}, {"n_cmpl", count(1, 128)},
                     {"n_probs", count(0, 100)}, {"return_tokens", flag()}});
  return schema_of(std::move(properties), {"prompt"});
}

Json infill() {
  Json properties = joined(generation(), {{"input_prefix", text()}, {"input_suffix", text()}, {"prompt", text()}});
  properties["input_extra"] = list(schema_of({{"filename", text()}, {"text", text()}}, {"text"}));
  return schema_of(std::move(properties), {"input_prefix", "input_suffix"});
}

Json responses() {
  const Json item = schema_of({{"type", words({"message", "function_call", "function_call_output", "reasoning"})},
                               {"role", words({"system", "developer", "user", "assistant"})}, {"content", parts()}, {"call_id", text()},
                               {"name", text()}, {"arguments", text()}, {"output", parts()}});
  return schema_of({{"model", text()}, {"input", one_of({text(), list(item)})}, {"instructions", text()}, {"stream", flag()},
                    {"store", flag()}, {"previous_response_id", text()}, {"max_output_tokens", count(1)}, {"temperature", number()},
                    {"top_p", number()}, {"seed", of_type("integer")}, {"metadata", object()}, {"parallel_tool_calls", flag()},
                    {"reasoning", schema_of({{"effort", text()}})}, {"text", schema_of({{"format", object()}})},
                    {"tools", list(function_schema())},
                    {"tool_choice", one_of({words({"none", "auto", "required"}), schema_of({{"name", text()}}, {"name"})})}},
                   {"input"});
}

Json anthropic(bool is_count) {
  const Json block = schema_of({{"type", words({"text", "thinking", "tool_use", "tool_result"})}, {"text", text()}, {"thinking", text()},
                                {"id", text()}, {"name", text()}, {"input", object()}, {"tool_use_id", text()}, {"content", parts()}}, {"type"});
  const Json message = schema_of({{"role", words({"user", "assistant"})}, {"content", one_of({text(), list(block)})}}, {"role", "content"});
  Json properties = {{"model", text()}, {"messages", list(message)}, {"system", parts()}, {"max_tokens", count(1)}, {"stream", flag()},
                     {"temperature", number()}, {"top_p", number()}, {"top_k", of_type("integer")}, {"seed", of_type("integer")},
                     {"stop_sequences", list(text())},
                     {"output_config", schema_of({{"effort", text()},
                                                  {"format", schema_of({{"type", words({"json_schema"})}, {"schema", object()}}, {"type", "schema"})}})},
                     {"thinking", schema_of({{"type", words({"enabled", "disabled"})}, {"budget_tokens", count(1)}}, {"type"})},
                     {"tools", list(schema_of({{"name", text()}, {"description", text()}, {"input_schema", object()}, {"strict", flag()}},
                                              {"name", "input_schema"}))},
                     {"tool_choice", schema_of({{"type", words({"auto", "any", "tool", "none"})}, {"name", text()}}, {"type"})}};
  Json schema = schema_of(std::move(properties), {"messages"});
  if (!is_count) schema["required"].push_back("max_tokens");
  return schema;
}

Json ollama(bool is_chat) {
  Json properties = {{"model", text()}, {"stream", flag()}, {"think", one_of({flag(), text()})}, {"format", one_of({text(), object()})},
                     {"options", schema_of(joined(sampling(), {{"num_predict", count(-2)}, {"stop", texts()}}))}};
  if (is_chat) {
    const Json message = schema_of({{"role", words({"system", "user", "assistant", "tool"})}, {"content", text()}, {"thinking", text()},
                                    {"tool_name", text()}, {"tool_calls", list(object())}}, {"role"});
    properties.update({{"messages", list(message)}, {"tools", list(schema_of({{"function", function_schema()}}, {"function"}))}});
  } else {
    properties.update({{"prompt", text()}, {"system", text()}, {"raw", flag()}});
  }
  return schema_of(std::move(properties));
}

class Document {
 public:
  void get(const char* path, const char* summary) { add("get", path, summary); }
  void remove(const char* path, const char* summary) { add("delete", path, summary); }
  void post(const char* path, const char* summary, const Json& body) {
    add("post", path, summary)["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", body}}}}}};
  }
  Json take() {
    return {{"openapi", "3.1.0"},
            {"info", {{"title", "glint"}, {"version", GLINT_VERSION}, {"description", "A model behind the APIs that clients speak."}}},
            {"paths", std::move(paths_)}};
  }

 private:
  Json& add(const char* method, const std::string& path, const char* summary) {
    Json& operation = paths_[path][method];
    operation = {{"summary", summary}};
    if (const size_t brace = path.find('{'); brace != std::string::npos) {
      const std::string name = path.substr(brace + 1, path.find('}') - brace - 1);
      operation["parameters"] = Json::array({{{"name", name}, {"in", "path"}, {"required", true}, {"schema", text()}}});
    }
    operation["responses"] = {{"200", {{"description", "The answer; with \"stream\" as events."}}},
                              {"4XX", {{"description", "What is wrong with the request."}}},
                              {"5XX", {{"description", "What is wrong with the server, or switched off."}}}};
    return operation;
  }

  Json paths_ = Json::object();
};

void describe_status(Document& document) {
  for (const char* path : {"/health", "/v1/health"}) document.get(path, "Whether the server is up");
  for (const char* path : {"/v1/models", "/models"}) document.get(path, "The models there are");
  document.get("/v1/models/{id}", "One model");
  document.get("/v1/capabilities", "What becomes of each member of a request");
  document.get("/openapi.json", "This document");
  document.get("/props", "Settings of the server and the model");
  document.post("/props", "Nothing can be set while the server runs", object());
  document.get("/slots", "The answers at work");
  document.post("/slots/{id}", "Saves, restores or erases (?action=) the text that a slot worked on last", schema_of({{"filename", text()}}));
  document.get("/metrics", "For Prometheus");
  for (const char* path : {"/api/tags", "/api/ps", "/api/version"}) document.get(path, "As Ollama");
  document.post("/api/show", "About a model", schema_of({{"model", text()}}, {"model"}));
}

void describe_texts(Document& document) {
  document.post("/tokenize", "Text to token ids",
                schema_of({{"content", text()}, {"add_special", flag()}, {"parse_special", flag()}, {"with_pieces", flag()}}, {"content"}));
  document.post("/detokenize", "Token ids to text", schema_of({{"tokens", ids()}}, {"tokens"}));
  document.post("/apply-template", "Messages to a prompt", schema_of(chat(), {"messages"}));
  const Json vectors = {{"model", text()}, {"dimensions", count(1)}};
  document.post("/v1/embeddings", "Vectors of texts",
                schema_of(joined(vectors, {{"input", prompt()}, {"encoding_format", words({"float", "base64"})}}), {"input"}));
  for (const char* path : {"/embedding", "/embeddings"}) {
    document.post(path, "Vectors of texts", schema_of(joined(vectors, {{"content", prompt()}, {"embd_normalize", {{"enum", {-1, 2}}}}}), {"content"}));
  }
  document.post("/api/embed", "Vectors of texts", schema_of(joined(vectors, {{"input", texts()}, {"truncate", flag()}}), {"input"}));
  document.post("/api/embeddings", "The vector of a text", schema_of(joined(vectors, {{"prompt", text()}}), {"prompt"}));
  const Json rerank = schema_of({{"model", text()}, {"query", text()}, {"documents", list(one_of({text(), schema_of({{"text", text()}}, {"text"})}))},
                                 {"texts", list(text())}, {"top_n", count(1)}, {"return_documents", flag()}, {"return_text", flag()}},
                                {"query"});
  for (const char* path : {"/rerank", "/reranking", "/v1/rerank", "/v1/reranking"}) document.post(path, "Documents by how well they answer", rerank);
}

Json make_document() {
  Document document;
  describe_status(document);
  describe_texts(document);
  for (const char* path : {"/v1/chat/completions", "/chat/completions"}) document.post(path, "A chat's next message", openai_chat());
  document.post("/v1/completions", "Text behind text", openai_completion());
  for (const char* path : {"/completion", "/completions"}) document.post(path, "Text behind text, as llama.cpp", native_completion());
  document.post("/infill", "Text between texts", infill());
  document.post("/v1/responses", "A conversation's next items", responses());
  document.get("/v1/responses/{id}", "A stored answer");
  document.remove("/v1/responses/{id}", "Forget a stored answer");
  document.post("/v1/messages", "A chat's next message, as Anthropic", anthropic(false));
  document.post("/v1/messages/count_tokens", "How long a chat is", anthropic(true));
  document.post("/api/chat", "A chat's next message, as Ollama", ollama(true));
  document.post("/api/generate", "An answer, as Ollama", ollama(false));
  return document.take();
}

}  // namespace

void add_openapi_endpoint(Router& router) {
  router.add("GET", "/openapi.json", [text = to_text(make_document())](const HttpRequest&) -> Reply {
    return {.response = {.body = text}};
  });
}

}  // namespace glint::server
