// SPDX-License-Identifier: Apache-2.0
//
// What an answer's text must be: a JSON schema, a regular expression, a GBNF grammar, or calls of tools in the model's
// own syntax, after its thinking if it thinks. Compiled once for a vocabulary and shared by all answers bound by it;
// each answer's place in it is a Guide's.
//
//   ConstraintCompiler compiler(tokenizer.vocab(), n_vocab, ReplyFormat::detect(chat.source()));
//   request.output.constraint = compiler.compile({.text = schema, .thinking = thinking_start(prompt, format)});
//
// Called by the server and the apps. docs/STRUCTURED_OUTPUT.md says what is enforced.
// Tested by tests/unit/engine/constraint_test.cpp.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grammar/token_sets.h"
#include "text/reply_format.h"
#include "text/vocab.h"

namespace glint {

struct ConstraintSpec {
  enum class Kind { kJsonSchema, kRegex, kGbnf, kTools };
  enum class Calls {
    kOne,   // exactly one call, and no other text
    kSome,  // one or more
    kAuto,  // any text, but whatever begins as a call is one
  };
  Kind kind = Kind::kJsonSchema;
  std::string text = {};  // the schema, expression or grammar; of kTools a JSON array of tools
  bool strict = true;  // schemas: refuse what cannot be enforced, rather than leave it out and say so in the warnings
  Calls calls = Calls::kSome;
  std::string tool = {};  // kTools: this one alone; empty: any
  std::string or_calls_of = {};  // other kinds: a JSON array of tools of which calls may come instead
  ThinkingStart thinking = ThinkingStart::kNone;
};

/// Immutable; safe to use from any thread.
struct Constraint {
  std::shared_ptr<grammar::TokenSets> sets;
  std::vector<std::string> warnings;
};

/// Safe to use from any thread.
class ConstraintCompiler {
 public:
  /// `vocab` must outlive this. `n_vocab`: the model's, which may be more than the vocabulary has.
  ConstraintCompiler(const Vocab& vocab, int n_vocab, ReplyFormat format = {}, size_t n_cached = 16);

  /// From the cache, where it lies already. Throws Error for what is malformed or cannot be enforced, with its place.
  std::shared_ptr<const Constraint> compile(const ConstraintSpec& spec);

  const ReplyFormat& format() const { return format_; }

 private:
  std::shared_ptr<const grammar::TokenTrie> trie(bool with_markers);
  std::shared_ptr<const Constraint> make(const ConstraintSpec& spec);

  const Vocab& vocab_;
  int n_vocab_;
  ReplyFormat format_;
  size_t n_cached_;

  std::mutex mutex_;                                                            // over the next two
  std::list<std::pair<std::string, std::shared_ptr<const Constraint>>> cache_;  // latest use first
  std::shared_ptr<const grammar::TokenTrie> tries_[2];  // without and with the format's markers as text
  std::mutex trie_mutex_;
};

}  // namespace glint
