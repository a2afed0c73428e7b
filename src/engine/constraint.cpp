// SPDX-License-Identifier: Apache-2.0
#include "engine/constraint.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/printable.h"
#include "engine/tool_grammar.h"
#include "grammar/builder.h"
#include "grammar/free_text.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace glint {
namespace {

using grammar::Builder;
using Json = nlohmann::ordered_json;
using Kind = ConstraintSpec::Kind;

/// Everything that makes a difference.
std::string key_of(const ConstraintSpec& spec) {
  return fmt::format("{} {} {} {} {}:{} {}:{} {}", static_cast<int>(spec.kind), spec.strict, static_cast<int>(spec.calls),
                     static_cast<int>(spec.thinking), spec.tool.size(), spec.tool, spec.or_calls_of.size(), spec.or_calls_of,
                     spec.text);
}

Json parse_json(const std::string& text, const char* what) {
  grammar::JsonSchemaOptions limits;
  const auto check_nesting = [&](int nesting, Json::parse_event_t, Json&) {
    if (nesting > static_cast<int>(limits.max_nesting)) fail("{}: nested more than {} deep", what, limits.max_nesting);
    return true;
  };
  try {
    return Json::parse(text, check_nesting);
  } catch (const Json::exception& error) {
    fail("{}: not JSON: {}", what, printable(error.what(), 200));
  }
}

bool may_call(const ConstraintSpec& spec) { return spec.kind == Kind::kTools || !spec.or_calls_of.empty(); }

/// `body`, after thinking if there is some. Where calls matter none may be made within it.
Builder::Expr after_thinking(Builder& builder, const ReplyFormat& format, const ConstraintSpec& spec,
                             Builder::Expr body) {
  if (spec.thinking == ThinkingStart::kNone) return body;
  std::vector<std::string> barred;
  if (may_call(spec)) barred = call_openers(format);
  const Builder::Expr rest =
      builder.automaton(grammar::text_up_to(format.thinking.close, barred), grammar::Encoding::kPlain);
  const Builder::Expr breaks = builder.repeat(builder.bytes("\n"), 0, 2);
  if (spec.thinking == ThinkingStart::kInside) return builder.sequence({rest, breaks, body});
  return builder.sequence(
      {builder.optional(builder.sequence({builder.bytes(format.thinking.open), rest, breaks})), body});
}

}  // namespace

ConstraintCompiler::ConstraintCompiler(const Vocab& vocab, int n_vocab, ReplyFormat format, size_t n_cached)
    : vocab_(vocab), n_vocab_(n_vocab), format_(std::move(format)), n_cached_(n_cached) {}

std::shared_ptr<const Constraint> ConstraintCompiler::compile(const ConstraintSpec& spec) {
  const std::string key = key_of(spec);
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find_if(cache_, [&](const auto& entry) { return entry.first == key; });
    if (known != cache_.end()) {
      cache_.splice(cache_.begin(), cache_, known);
      return known->second;
    }
  }
  std::shared_ptr<const Constraint> made = make(spec);  // two at once may make the same one, which is harmless
  const std::lock_guard lock(mutex_);
  cache_.emplace_front(key, made);
  if (cache_.size() > n_cached_) cache_.pop_back();
  return made;
}

std::shared_ptr<const Constraint> ConstraintCompiler::make(const ConstraintSpec& spec) {
  auto made = std::make_shared<Constraint>();
  Builder builder;
  const int32_t root = builder.declare("root of the constraint");
  grammar::JsonSchemaOptions options;
  options.strict = spec.strict;
  Builder::Expr body = 0;
  Json document, tools;  // outlive finish()
  switch (spec.kind) {
    case Kind::kJsonSchema:
      document = parse_json(spec.text, "schema");
      body = grammar::add_json_schema(builder, document, options, made->warnings);
      break;
    case Kind::kRegex:
      body = grammar::add_regex(builder, spec.text);
      break;
    case Kind::kGbnf:
      body = grammar::add_gbnf(builder, spec.text);
      break;
    case Kind::kTools:
      document = parse_json(spec.text, "tools");
      body = add_tool_calls(builder, format_, document, spec, made->warnings);
      break;
  }
  if (!spec.or_calls_of.empty()) {
    if (call_openers(format_).empty()) {
      fail("in this model's syntax ({}) calls cannot be told from other text, so an answer is either bound to a format or "
           "free to call tools; set tool_choice to \"none\" or \"required\"", name_of(format_.calls));
    }
    tools = parse_json(spec.or_calls_of, "tools");
    body = builder.alternatives({body, add_tool_calls(builder, format_, tools, spec, made->warnings)});
  }
  const bool frames_itself = spec.kind == Kind::kTools && thinks_by_itself(format_, spec);
  builder.define(root, frames_itself ? body : after_thinking(builder, format_, spec, body));
  grammar::Grammar finished;
  try {
    finished = builder.finish(root);
  } catch (const grammar::ImpossibleGrammar& error) {
    fail("{}: nothing satisfies this: {}", spec.kind == Kind::kJsonSchema ? "schema" : "constraint", error.what());
  }
  const bool with_markers = may_call(spec) || spec.thinking != ThinkingStart::kNone;
  made->sets = std::make_shared<grammar::TokenSets>(std::make_shared<const grammar::Grammar>(std::move(finished)),
                                                    trie(with_markers));
  return made;
}

/// Control tokens stand for nothing, so no text can hold them, but for those that carry the format where it matters.
std::shared_ptr<const grammar::TokenTrie> ConstraintCompiler::trie(bool with_markers) {
  const std::vector<int32_t> markers = with_markers ? shown_marker_ids(format_, vocab_) : std::vector<int32_t>{};
  const std::lock_guard lock(trie_mutex_);
  std::shared_ptr<const grammar::TokenTrie>& trie = tries_[markers.empty() ? 0 : 1];
  if (trie) return trie;
  std::vector<std::string_view> tokens(static_cast<size_t>(std::max(n_vocab_, vocab_.size())));
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const bool is_text = !vocab_.is_special(id) && vocab_.type(id) != TokenType::kUnused;
    if (is_text || std::ranges::binary_search(markers, id)) tokens[static_cast<size_t>(id)] = vocab_.bytes(id);
  }
  trie = std::make_shared<const grammar::TokenTrie>(tokens, vocab_.end_of_generation());
  return trie;
}

}  // namespace glint
