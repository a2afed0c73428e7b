// SPDX-License-Identifier: Apache-2.0
//
// Text to ids and back, and messages to text, without the model: llama.cpp's /tokenize, /detokenize, /apply-template.
// Tested by tests/unit/server/text_endpoints_test.cpp.
#include "base/utf8.h"
#include "server/chat_fields.h"
#include "server/endpoints.h"
#include "server/token_fields.h"

namespace glint::server {
namespace {

/// A token's bytes: text where they are UTF-8, else numbers.
Json piece_of(std::string_view bytes) {
  if (utf8::is_valid(bytes)) return std::string(bytes);
  Json numbers = Json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return numbers;
}

Reply tokenize(const Service& service, const HttpRequest& request) {
  const Json body = parse_json(request.body);
  const Fields fields(body);
  const std::string& content = fields.required_string("content");
  const std::vector<int32_t> ids = service.tokenizer().encode(
      content, {.add_special = fields.boolean("add_special").value_or(false),
                .parse_special = fields.boolean("parse_special").value_or(true)});
  if (!fields.boolean("with_pieces").value_or(false)) return json_reply({{"tokens", ids}});
  Json tokens = Json::array();
  for (int32_t id : ids) tokens.push_back({{"id", id}, {"piece", piece_of(service.tokenizer().vocab().bytes(id))}});
  return json_reply({{"tokens", std::move(tokens)}});
}

Reply detokenize(const Service& service, const HttpRequest& request) {
  const Json body = parse_json(request.body);
  const Fields fields(body);
  const Json* tokens = fields.array("tokens");
  if (tokens == nullptr) fields.refuse("tokens", "an array of token ids");
  return json_reply({{"content", service.tokenizer().decode(read_ids(*tokens, service, "tokens"))}});
}

Reply apply_template(const Service& service, const HttpRequest& request) {
  const Json body = parse_json(request.body);
  return json_reply({{"prompt", render_chat(service, read_chat(Fields(body), service)).text}});
}

}  // namespace

void add_text_endpoints(Router& router, Models& models) {
  router.add("POST", "/tokenize", on_model(models, tokenize));
  router.add("POST", "/detokenize", on_model(models, detokenize));
  router.add("POST", "/apply-template", on_model(models, apply_template));
}

}  // namespace glint::server
