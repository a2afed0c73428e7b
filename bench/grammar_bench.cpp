// SPDX-License-Identifier: Apache-2.0
//
// Costs of structured output on a real vocabulary: compiling a schema, and the mask before each token of a text that
// keeps it, for the first request with a schema and for a later one. Not part of `all`: build the target grammar_bench.
//   grammar_bench TOKENIZER_JSON     (a byte-level BPE, for example GLM-4.7-Flash's)
#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/utf8.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"

namespace {

using namespace glint;
using namespace glint::grammar;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// Byte-level vocabularies spell bytes as printable characters: most as themselves, the others from U+0100 on.
std::map<char32_t, char> byte_of_character() {
  std::map<char32_t, char> bytes;
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    bytes[itself ? static_cast<char32_t>(byte) : next++] = static_cast<char>(byte);
  }
  return bytes;
}

std::vector<std::string> read_vocabulary(const char* path) {
  const Json tokenizer = Json::parse(std::ifstream(path));
  const auto bytes = byte_of_character();
  std::vector<std::string> tokens;
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    const auto index = id.get<size_t>();
    if (tokens.size() <= index) tokens.resize(index + 1);
    for (size_t i = 0; i < text.size();) {
      const utf8::Decoded c = utf8::decode(text, i);
      i += static_cast<size_t>(c.size);
      tokens[index] += bytes.at(c.code_point);
    }
  }
  for (const Json& added : tokenizer["added_tokens"]) {
    const auto index = added["id"].get<size_t>();
    if (tokens.size() <= index) tokens.resize(index + 1);
  }
  return tokens;
}

/// The longest tokens, left to right.
std::vector<int32_t> tokenize(const std::map<std::string, int32_t>& ids, const std::string& text) {
  std::vector<int32_t> out;
  for (size_t i = 0; i < text.size();) {
    size_t n = std::min<size_t>(24, text.size() - i);
    while (n > 1 && !ids.contains(text.substr(i, n))) --n;
    out.push_back(ids.at(text.substr(i, n)));
    i += n;
  }
  return out;
}

constexpr int kRounds = 9;
constexpr size_t kModelVocabulary = 154'880;  // GLM-4.7-Flash's, whose last ids have no text

/// Microseconds a token, of one answer.
struct Costs {
  double mean = 0, median = 0, most_of_99 = 0, worst = 0, with_accept = 0;
};

/// The masks of an answer of these tokens; throws Error if the grammar does not allow one.
Costs answer(const std::shared_ptr<TokenSets>& sets, const TokenTrie& trie, const std::vector<int32_t>& ids) {
  const auto begin = Clock::now();
  Matcher matcher(sets);
  std::vector<uint64_t> mask(matcher.mask_words());
  std::vector<double> times;
  for (const int32_t id : ids) {
    const auto start = Clock::now();
    matcher.mask(mask);
    times.push_back(microseconds_since(start));
    if ((mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1) == 0) fail("not allowed: \"{}\"", trie.bytes(id));
    matcher.accept(id);
  }
  const auto n = static_cast<double>(times.size());
  Costs costs{.with_accept = microseconds_since(begin) / n};
  std::sort(times.begin(), times.end());
  for (const double time : times) costs.mean += time / n;
  costs.median = times[times.size() / 2];
  costs.most_of_99 = times[times.size() * 99 / 100];
  costs.worst = times.back();
  return costs;
}

/// Of several rounds, each from nothing: the one that the machine disturbed least.
void measure(const std::string& name, const std::function<Grammar()>& make,
             const std::shared_ptr<const TokenTrie>& trie, const std::vector<int32_t>& ids) {
  double compile_us = 1e300;
  Costs first{.mean = 1e300}, later{.mean = 1e300};
  const auto keep = [](Costs& best, const Costs& costs) {
    if (costs.mean < best.mean) best = costs;
  };
  size_t n_states = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    Grammar made = make();
    compile_us = std::min(compile_us, microseconds_since(start));
    n_states = made.states.size();
    const auto sets = std::make_shared<TokenSets>(std::make_shared<const Grammar>(std::move(made)), trie);
    keep(first, answer(sets, *trie, ids));
    keep(later, answer(sets, *trie, ids));
  }
  fmt::print("{:<12} {:7} states, compiled in {:.2f} ms, {} tokens\n", name, n_states, compile_us / 1000, ids.size());
  for (const auto& [request, costs] : {std::pair("first", first), std::pair("later", later)}) {
    fmt::print(
        "  {} request: mask mean {:6.1f} us, median {:6.1f}, 99 % {:7.1f}, worst {:7.1f}; with accept {:6.1f} us a "
        "token\n",
        request, costs.mean, costs.median, costs.most_of_99, costs.worst, costs.with_accept);
  }
}

const char* const kPerson =
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
"email":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"},"maxItems":10},
"address":{"type":"object","properties":{"street":{"type":"string","maxLength":100},"city":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}$"}},
"required":["street","city"]},"role":{"enum":["admin","editor","viewer"]},"active":{"type":"boolean"},"score":{"type":"number"}},"required":["name","age","role"]})";
const char* const kPersonText =
    R"({"name": "Dr. Ada Lovelace of London", "age": 36, "email": "ada.lovelace@example.org", "tags": ["mathematics", "analytical engine", "poetry"], "address": {"street": "12 St. James's Square", "city": "London", "zip": "12345"}, "role": "admin", "active": true, "score": 99.25})";

Json big_schema() {
  Json schema = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (int i = 0; schema.dump().size() < 10000; ++i) {
    Json part = Json::parse(kPerson);
    part["properties"]["kind"] = {{"const", "variant " + std::to_string(i)}};
    schema["properties"]["field_" + std::to_string(i)] = part;
    if (i % 2 == 0) schema["required"].push_back("field_" + std::to_string(i));
  }
  return schema;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: grammar_bench TOKENIZER_JSON\n";
    return 1;
  }
  std::vector<std::string> tokens = read_vocabulary(argv[1]);
  tokens.resize(std::max(tokens.size(), kModelVocabulary));
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  std::map<std::string, int32_t> ids;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].empty()) ids.emplace(tokens[i], static_cast<int32_t>(i));
  }
  const int32_t end = static_cast<int32_t>(tokens.size()) - 1;
  const auto start = Clock::now();
  const auto trie = std::make_shared<const TokenTrie>(views, std::span(&end, 1));
  fmt::print("{} tokens, {} nodes, longest {}, made in {:.1f} ms\n", tokens.size(), trie->nodes().size(),
             trie->longest(), microseconds_since(start) / 1000);

  const auto run_schema = [&](const char* name, const std::string& schema, const std::string& text) {
    measure(
        name, [&] { return compile_json_schema_text(schema).grammar; }, trie, tokenize(ids, text));
  };
  run_schema("person", kPerson, kPersonText);
  run_schema("any object", R"({"type":"object"})", kPersonText);
  Json big_text = Json::object();
  const Json big = big_schema();
  for (const auto& [key, part] : big["properties"].items()) {
    big_text[key] = Json::parse(kPersonText);
    big_text[key]["kind"] = part["properties"]["kind"]["const"];
  }
  run_schema("10 KB", big.dump(), big_text.dump());
  std::string numbers = "[";
  for (int i = 0; i < 300; ++i) numbers += (i > 0 ? ", " : "") + std::to_string(i * 37 % 1000) + ".5";
  run_schema("numbers", R"({"type":"array","items":{"type":"number"},"minItems":10,"maxItems":1000})", numbers + "]");
  constexpr const char* kGbnf = R"(root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
)";
  measure(
      "GBNF json", [&] { return compile_gbnf(kGbnf); }, trie, tokenize(ids, kPersonText));
  measure(
      "regex", [] { return compile_regex("[A-Z][a-z]+( [A-Za-z][a-z']*)*\\."); }, trie,
      tokenize(ids, "The quick brown fox jumps over the lazy dog and goes home."));
}
