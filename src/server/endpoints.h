// SPDX-License-Identifier: Apache-2.0
//
// The endpoints, by file. Each function adds those of one file to a router; the service must outlive it.
#pragma once

#include "server/router.h"
#include "server/service.h"

namespace glint::server {

void add_status_endpoints(Router& router, Service& service);  // /health /v1/models /props
void add_capability_endpoints(Router& router, Service& service);  // /v1/capabilities
void add_live_endpoints(Router& router, Service& service);    // /metrics /slots
void add_text_endpoints(Router& router, Service& service);    // /tokenize /detokenize /apply-template
void add_openai_chat_endpoints(Router& router, Service& service);        // /v1/chat/completions
void add_openai_completion_endpoints(Router& router, Service& service);  // /v1/completions
void add_native_completion_endpoints(Router& router, Service& service);  // /completion
void add_infill_endpoints(Router& router, Service& service);             // /infill
void add_responses_endpoints(Router& router, Service& service);          // /v1/responses
void add_anthropic_endpoints(Router& router, Service& service);          // /v1/messages
void add_ollama_endpoints(Router& router, Service& service);             // /api/chat /api/generate
void add_ollama_model_endpoints(Router& router, Service& service);       // /api/tags /api/show ...

}  // namespace glint::server
