// SPDX-License-Identifier: Apache-2.0
//
// Endpoints that need a model: the one that a request names is held until its answer is out, and waited for where it has to
// be loaded first.
// Called by the endpoints' files. Tested by tests/unit/server/models_test.cpp.
#pragma once

#include <functional>

#include "server/models.h"
#include "server/router.h"

namespace glint::server {

using ModelEndpoint = std::function<Reply(Service&, const HttpRequest&)>;

/// `models` must outlive the endpoint.
Router::Endpoint on_model(Models& models, ModelEndpoint endpoint);

/// The same, but only where the model is in memory already (503 otherwise), and without counting as a use of it.
Router::Endpoint on_loaded_model(Models& models, ModelEndpoint endpoint);

/// The model that a request names: the member of its body, or of its query where it has none; "" when there is neither.
/// A body that is no JSON names none.
std::string named_model(const HttpRequest& request);

}  // namespace glint::server
