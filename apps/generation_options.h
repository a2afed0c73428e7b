// SPDX-License-Identifier: Apache-2.0
//
// Flags of choosing tokens and of binding output that `run`, `chat` and
// `serve` share, with llama.cpp's names and meanings.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "engine/sampler.h"
#include "engine/session.h"
#include "text/reply_format.h"

namespace glint::app {

struct GenerationOptions {
  SamplingParams sampling;  // what the user set; the rest comes from the file and the defaults
  int64_t seed = -1;        // -1: a new one each time
  int n_predict = -1;
  bool ignore_eos = false;
  bool special = false;
  std::vector<std::string> stop_strings;
  std::vector<std::string> logit_bias;
  std::string grammar, grammar_file, json_schema, json_schema_file;
  int reasoning_budget = -1;
};

void add_generation_options(CLI::App& command, GenerationOptions& options);

/// The settings of the flags alone. Throws Error for a --logit-bias that is none.
SamplingParams sampling_flags(const GenerationOptions& options);
/// The sampler that flags, the file's general.sampling.* keys and the defaults give, in that precedence. `ban`: ids that
/// stand for nothing are never chosen (and with ignore_eos, those that end a generation).
Sampler make_sampler(const GenerationOptions& options, const Engine& engine, bool ban = true);
/// What `format` the reply has and how thinking starts matter to the constraint, to the thinking budget and to what is
/// shown. Throws Error for a schema or grammar that cannot be enforced.
GenerateOptions make_generate_options(const GenerationOptions& options, const Engine& engine, const ReplyFormat& format,
                                      ThinkingStart thinking);

/// One line: "prompt 512 tokens at 812.3 tok/s, generated 128 at 97.1 tok/s".
std::string describe(const Timings& timings);

/// llama.cpp's -e: \n \r \t \' \" \\ and \xHH become what they stand for; other backslashes stay.
std::string unescape(const std::string& text);

}  // namespace glint::app
