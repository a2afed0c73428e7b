// SPDX-License-Identifier: Apache-2.0
//
// Embeddings of texts: OpenAI's /v1/embeddings, llama.cpp's /embedding, Ollama's /api/embed. A vector is what the model's
// head would see, pooled over the tokens and of length one.
// Tested by tests/unit/server/embeddings_test.cpp.
#include <openssl/evp.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "server/answer_reply.h"
#include "server/endpoints.h"
#include "server/fields.h"
#include "server/settings.h"
#include "server/token_fields.h"

namespace glint::server {
namespace {

struct VectorFormat {
  int n_dimensions = 0;   // the first so many
  bool normalise = true;  // to length one
  bool base64 = false;    // of little-endian floats
};

/// The shortest decimal number that is this float.
double shortest(float value) {
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, value).ptr;
  double number = 0;
  std::from_chars(text, end, number);
  return number;
}

std::string encode_base64(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  std::string text(4 * ((values.size_bytes() + 2) / 3) + 1, '\0');  // it writes a zero behind
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(values.data()), static_cast<int>(values.size_bytes()));
  text.resize(static_cast<size_t>(n));
  return text;
}

Json describe_vector(std::span<const float> row, const VectorFormat& format) {
  std::vector<float> values(row.begin(), row.begin() + format.n_dimensions);
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  const double length = format.normalise && squares > 0 ? std::sqrt(squares) : 1;
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) / length);
  if (format.base64) return encode_base64(values);
  Json numbers = Json::array();
  for (const float value : values) numbers.push_back(shortest(value));
  return numbers;
}

/// Each API has its own words around the vectors of each prompt.
class EmbeddingWriter final : public WholeWriter {
 public:
  /// Of each prompt its vectors, one or with Pooling::kNone one a token.
  using Describe = std::function<Json(const std::vector<Json>& vectors, const Usage& usage)>;
  EmbeddingWriter(int d_model, const VectorFormat& format, Describe describe)
      : d_model_(static_cast<size_t>(d_model)), format_(format), describe_(std::move(describe)) {}

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    std::vector<Json> all;
    for (const Completion& completion : completions) {
      Json vectors = Json::array();
      const std::span<const float> values = completion.finish.embedding;
      for (size_t at = 0; at + d_model_ <= values.size(); at += d_model_) {
        vectors.push_back(describe_vector(values.subspan(at, d_model_), format_));
      }
      all.push_back(std::move(vectors));
    }
    Json answer = describe_(all, usage);
    if (answer.is_object()) add_warnings(answer);
    return answer;
  }

 private:
  size_t d_model_;
  VectorFormat format_;
  Describe describe_;
};

VectorFormat read_format(const Fields& fields, const Service& service) {
  const int d_model = service.engine().model().spec.d_model;
  return {.n_dimensions = fields.count("dimensions", 1, d_model).value_or(d_model)};
}

Reply embed(Service& service, const HttpRequest& http, const Fields& fields, const VectorFormat& format,
            std::vector<std::vector<int32_t>> prompts, EmbeddingWriter::Describe describe) {
  std::vector<Request> requests;
  for (std::vector<int32_t>& ids : prompts) {
    Request& request = requests.emplace_back();
    request.ids = std::move(ids);
    request.sampling = resolve_sampling({}, service.options().sampling, service.engine().file().metadata());
    request.pooling = service.pooling();
  }
  auto writer = std::make_unique<EmbeddingWriter>(service.engine().model().spec.d_model, format, std::move(describe));
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), {.is_raw = true}, false, std::move(writer));
}

void require_one_vector(const Service& service) {
  if (service.pooling() == Pooling::kNone) {
    throw ApiError::invalid("this server does not pool (--pooling none), so a text has no vector of its own; use /embedding");
  }
}

Reply openai_embeddings(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  require_one_vector(service);
  const Json* input = fields.find("input");
  if (input == nullptr) fields.refuse("input", "a string, token ids, or an array of these");
  VectorFormat format = read_format(fields, service);
  if (const std::string* encoding = fields.string("encoding_format")) {
    format.base64 = *encoding == "base64";
    if (!format.base64 && *encoding != "float") fields.refuse("encoding_format", "float or base64");
  }
  const auto describe = [name = service.name()](const std::vector<Json>& vectors, const Usage& usage) {
    Json data = Json::array();
    for (const Json& of_prompt : vectors) {
      data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", of_prompt[0]}});
    }
    return Json({{"object", "list"},
                 {"data", std::move(data)},
                 {"model", name},
                 {"usage", {{"prompt_tokens", usage.n_prompt}, {"total_tokens", usage.n_prompt}}}});
  };
  return embed(service, http, fields, format, read_prompts(*input, service, "input"), describe);
}

Reply native_embeddings(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  const Json* input = fields.find("content");
  if (input == nullptr) input = fields.find("input");
  if (input == nullptr) fields.refuse("content", "a string, token ids, or an array of these");
  VectorFormat format = read_format(fields, service);
  const int norm = fields.count("embd_normalize", -1).value_or(2);
  if (norm != -1 && norm != 2) fields.refuse("embd_normalize", "2 (length one) or -1 (as they come)");
  format.normalise = norm == 2;
  const auto describe = [](const std::vector<Json>& vectors, const Usage&) {
    Json data = Json::array();
    for (const Json& of_prompt : vectors) data.push_back({{"index", data.size()}, {"embedding", of_prompt}});
    return data;
  };
  return embed(service, http, fields, format, read_prompts(*input, service, "content"), describe);
}

/// Ollama cuts what is too long, unless it is told not to.
std::vector<std::vector<int32_t>> cut_prompts(std::vector<std::vector<int32_t>> prompts, const Fields& fields, const Service& service) {
  if (!fields.boolean("truncate").value_or(true)) return prompts;
  const auto n_ctx = static_cast<size_t>(service.engine().n_ctx());
  for (std::vector<int32_t>& ids : prompts) ids.resize(std::min(ids.size(), n_ctx));
  return prompts;
}

Reply ollama_embed(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  require_one_vector(service);
  const Json* input = fields.find("input");
  if (input == nullptr) fields.refuse("input", "a string or an array of strings");
  const std::string* model = fields.string("model");
  const auto describe = [name = model == nullptr ? service.name() : *model](const std::vector<Json>& vectors, const Usage& usage) {
    Json all = Json::array();
    for (const Json& of_prompt : vectors) all.push_back(of_prompt[0]);
    return Json({{"model", name}, {"embeddings", std::move(all)}, {"prompt_eval_count", usage.n_prompt}});
  };
  return embed(service, http, fields, read_format(fields, service),
               cut_prompts(read_prompts(*input, service, "input"), fields, service), describe);
}

/// Of old: one text.
Reply ollama_embeddings(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  require_one_vector(service);
  const std::string& prompt = fields.required_string("prompt");
  const auto describe = [](const std::vector<Json>& vectors, const Usage&) { return Json({{"embedding", vectors[0][0]}}); };
  return embed(service, http, fields, read_format(fields, service),
               cut_prompts({read_prompt(prompt, service, "prompt")}, fields, service), describe);
}

}  // namespace

void add_embedding_endpoints(Router& router, Models& models) {
  router.add("POST", "/v1/embeddings", on_model(models, openai_embeddings));
  for (const char* path : {"/embedding", "/embeddings"}) router.add("POST", path, on_model(models, native_embeddings));
  router.add("POST", "/api/embed", on_model(models, ollama_embed));
  router.add("POST", "/api/embeddings", on_model(models, ollama_embeddings));
}

}  // namespace glint::server
