// SPDX-License-Identifier: Apache-2.0
//
// Pieces of answers that several APIs share: usage, timings, why it ended, log probabilities.
// Called by the endpoints that generate. Tested by the tests of these.
#pragma once

#include <string>

#include "server/answer.h"
#include "server/json.h"

namespace glint::server {

/// OpenAI's: prompt_tokens, completion_tokens, total_tokens and their details.
Json describe_usage(const Usage& usage);
/// llama.cpp's: cache_n, prompt_n, prompt_ms, ...
Json describe_timings(const Timings& timings);
/// OpenAI's: "stop" or "length".
std::string finish_reason(const Finish& finish);
/// llama.cpp's: "eos", "limit" or "word".
std::string stop_type(const Finish& finish);

/// {"token", "logprob", "bytes"} and with `with_id` "id".
Json describe_token(const Service& service, int32_t id, double logprob, bool with_id);
/// The same for a chosen token with its alternatives under "top_logprobs".
Json describe_logprobs(const Service& service, const AnswerToken& token, bool with_id);

}  // namespace glint::server
