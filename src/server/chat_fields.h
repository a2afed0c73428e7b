// SPDX-License-Identifier: Apache-2.0
//
// The chat in a request by OpenAI's and llama.cpp's names: messages, tools, template variables, thinking; and what its
// answer must be and how it is to be read. Other APIs' endpoints translate their requests to these names first.
// Called by the endpoints that speak chat. Tested by tests/unit/server/openai_chat_test.cpp.
#pragma once

#include "server/answer.h"
#include "server/chat_prompt.h"
#include "server/fields.h"

namespace glint::server {

ChatMessages read_chat(const Fields& fields, const Service& service);

struct PreparedChat {
  Request request;
  AnswerFormat format;
};
/// Messages rendered, settings read: all but the number of choices and log probabilities.
PreparedChat prepare_chat(const Fields& fields, Service& service);

}  // namespace glint::server
