// SPDX-License-Identifier: Apache-2.0
//
// llama.cpp's form of an answer, for endpoints that differ only in how their prompt is made.
// Called by server/native_completion and server/infill.
#pragma once

#include "server/api_error.h"
#include "server/fields.h"
#include "server/http_message.h"
#include "server/service.h"

namespace glint::server {

Reply answer_natively(Service& service, const HttpRequest& http, const Fields& fields,
                      std::vector<std::vector<int32_t>> prompts);

}  // namespace glint::server
