// SPDX-License-Identifier: Apache-2.0
//
// The endpoints, by file. Each function adds those of one file to a router; the models must outlive it.
#pragma once

#include "server/on_model.h"

namespace glint::server {

void add_status_endpoints(Router& router, Models& models);      // /health /v1/models /props
void add_openapi_endpoint(Router& router);                     // /openapi.json
void add_capability_endpoints(Router& router, Models& models);  // /v1/capabilities
void add_live_endpoints(Router& router, Models& models);    // /metrics /slots
void add_slot_endpoints(Router& router, Models& models);    // /slots/N?action=
void add_text_endpoints(Router& router, Models& models);    // /tokenize /detokenize /apply-template
void add_openai_chat_endpoints(Router& router, Models& models);        // /v1/chat/completions
void add_openai_completion_endpoints(Router& router, Models& models);  // /v1/completions
void add_native_completion_endpoints(Router& router, Models& models);  // /completion
void add_infill_endpoints(Router& router, Models& models);             // /infill
void add_responses_endpoints(Router& router, Models& models);          // /v1/responses
void add_embedding_endpoints(Router& router, Models& models);            // /v1/embeddings /embedding /api/embed
void add_rerank_endpoints(Router& router, Models& models);               // /v1/rerank
void add_anthropic_endpoints(Router& router, Models& models);          // /v1/messages
void add_ollama_endpoints(Router& router, Models& models);             // /api/chat /api/generate
void add_ollama_model_endpoints(Router& router, Models& models);       // /api/tags /api/show ...

}  // namespace glint::server
