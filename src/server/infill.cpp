// SPDX-License-Identifier: Apache-2.0
//
// llama.cpp's /infill: text between a prefix and a suffix, for editors, by the vocabulary's own tokens for it.
// Tested by tests/unit/server/ollama_test.cpp.
#include "server/endpoints.h"
#include "server/native_completion.h"

namespace glint::server {
namespace {

constexpr size_t kMostFiles = 256;

std::vector<int32_t> infill_prompt(const Service& service, const Fields& fields) {
  const Vocab& vocab = service.tokenizer().vocab();
  const SpecialIds& special = vocab.special();
  if (!special.fim_prefix || !special.fim_suffix || !special.fim_middle) {
    throw ApiError::disabled("this model's vocabulary has no tokens for infilling");
  }
  std::vector<int32_t> ids;
  const auto add = [&](std::string_view text) {
    const std::vector<int32_t> more = service.tokenizer().encode(text);  // no control tokens: it is the user's code
    ids.insert(ids.end(), more.begin(), more.end());
  };
  if (vocab.add_bos() && special.bos) ids.push_back(*special.bos);
  const Json* files = fields.array("input_extra");
  if (files != nullptr && files->size() > kMostFiles) {
    throw ApiError::invalid(fmt::format("input_extra: {} files, and {} is the most", files->size(), kMostFiles));
  }
  for (size_t i = 0; files != nullptr && i < files->size(); ++i) {
    const Fields file((*files)[i], fmt::format("input_extra[{}].", i));
    const std::string* name = file.string("filename");
    add(fmt::format("{}\n{}\n", name == nullptr ? "" : *name, file.required_string("text")));
  }
  ids.push_back(*special.fim_prefix);
  add(fields.required_string("input_prefix"));
  if (const std::string* prompt = fields.string("prompt")) add(*prompt);
  ids.push_back(*special.fim_suffix);
  add(fields.required_string("input_suffix"));
  ids.push_back(*special.fim_middle);
  return ids;
}

}  // namespace

void add_infill_endpoints(Router& router, Models& models) {
  router.add("POST", "/infill", on_model(models, [](Service& service, const HttpRequest& http) {
    const Json body = parse_json(http.body);
    const Fields fields(body);
    return answer_natively(service, http, fields, {infill_prompt(service, fields)});
  }));
}

}  // namespace glint::server
