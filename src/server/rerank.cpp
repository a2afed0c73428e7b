// SPDX-License-Identifier: Apache-2.0
//
// /v1/rerank: how well each document answers a query, best first, by a model with a classifier as its head. In the
// words of Jina's API (documents, relevance_score) and of Hugging Face's text-embeddings-inference (texts, score).
// Tested by tests/unit/server/rerank_test.cpp.
#include <algorithm>
#include <numeric>

#include "server/answer_reply.h"
#include "server/endpoints.h"
#include "server/fields.h"
#include "server/settings.h"

namespace glint::server {
namespace {

constexpr size_t kMostDocuments = 128;

struct Ranking {
  bool is_tei = false;      // texts were given, not documents
  bool with_texts = false;  // they are said again
  size_t n_best = 0;
  std::vector<std::string> documents;
};

std::string read_document(const Json& document, const std::string& name) {
  if (document.is_string()) return document.get<std::string>();
  if (!document.is_object()) throw ApiError::invalid(name + ": expected a string or an object with \"text\"");
  return Fields(document, name + ".").required_string("text");
}

Ranking read_ranking(const Fields& fields) {
  Ranking ranking;
  const Json* documents = fields.array("documents");
  ranking.is_tei = documents == nullptr;
  if (ranking.is_tei) documents = fields.array("texts");
  if (documents == nullptr || documents->empty()) fields.refuse("documents", "an array of at least one text");
  if (documents->size() > kMostDocuments) {
    throw ApiError::invalid(
        fmt::format("documents: {} of them, and {} is the most", documents->size(), kMostDocuments));
  }
  for (const Json& document : *documents) {
    ranking.documents.push_back(read_document(document, fmt::format("documents[{}]", ranking.documents.size())));
  }
  ranking.n_best = static_cast<size_t>(fields.count("top_n", 1).value_or(static_cast<int>(ranking.documents.size())));
  ranking.with_texts = fields.boolean(ranking.is_tei ? "return_text" : "return_documents").value_or(false);
  return ranking;
}

class RankWriter final : public WholeWriter {
 public:
  RankWriter(const Service& service, Ranking ranking) : service_(service), ranking_(std::move(ranking)) {}

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    std::vector<double> scores;
    for (const Completion& completion : completions)
      scores.push_back(service_.rank_head().score(completion.finish.embedding));
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    order.resize(std::min(order.size(), ranking_.n_best));
    Json results = Json::array();
    for (const size_t i : order) results.push_back(describe(i, scores[i]));
    if (ranking_.is_tei) return results;
    Json answer = {{"model", service_.name()},
                   {"object", "list"},
                   {"usage", {{"prompt_tokens", usage.n_prompt}, {"total_tokens", usage.n_prompt}}},
                   {"results", std::move(results)}};
    add_warnings(answer);
    return answer;
  }

 private:
  Json describe(size_t index, double score) const {
    Json result = {{"index", index}, {ranking_.is_tei ? "score" : "relevance_score", score}};
    const std::string& text = ranking_.documents[index];
    if (ranking_.with_texts && ranking_.is_tei) result["text"] = text;
    if (ranking_.with_texts && !ranking_.is_tei) result["document"] = {{"text", text}};
    return result;
  }

  const Service& service_;
  Ranking ranking_;
};

Reply rerank(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  const RankHead& head = service.rank_head();
  const std::string& query = fields.required_string("query");
  Ranking ranking = read_ranking(fields);
  std::vector<Request> requests;
  for (const std::string& document : ranking.documents) {
    const RankHead::Prompt prompt = head.prompt(query, document);
    Request& request = requests.emplace_back();
    request.ids = service.tokenizer().encode(prompt.text, {.parse_special = true, .literal = prompt.literal});
    request.sampling = resolve_sampling({}, service.options().sampling, service.engine().file().metadata());
    request.pooling = Pooling::kLast;
  }
  auto writer = std::make_unique<RankWriter>(service, std::move(ranking));
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), {.is_raw = true}, false, std::move(writer));
}

}  // namespace

void add_rerank_endpoints(Router& router, Models& models) {
  for (const char* path : {"/rerank", "/reranking", "/v1/rerank", "/v1/reranking"}) {
    router.add("POST", path, on_model(models, rerank));
  }
}

}  // namespace glint::server
