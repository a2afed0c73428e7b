// SPDX-License-Identifier: Apache-2.0
//
// OpenAI's Responses API to the server's own form of a chat: items to messages, tools, settings.
// Called by server/responses. Tested by tests/unit/server/responses_test.cpp.
#pragma once

#include "server/fields.h"

namespace glint::server {

/// The conversation so far: the items of an earlier one, then those of the request's `input`.
Json read_items(const Fields& fields, Json earlier = Json::array());
/// In the names that server/chat_fields knows. Throws ApiError naming the member that cannot be served.
Json translate_responses(const Fields& fields, const Json& items);

}  // namespace glint::server
