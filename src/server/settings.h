// SPDX-License-Identifier: Apache-2.0
//
// The members of a request that say how to generate, by the names that OpenAI's and llama.cpp's APIs share, and their way
// to an engine Request. Ranges are checked here or by resolve_sampling; whatever is wrong is named.
// Called by the endpoints that generate. Tested by tests/unit/server/field_values_test.cpp.
#pragma once

#include <string>

#include "engine/request.h"
#include "server/fields.h"
#include "server/service.h"

namespace glint::server {

/// Temperature, cuts, penalties, seed, samplers, logit_bias.
SamplingParams read_sampling(const Fields& fields, const Service& service);
/// Limit, stop strings, ignore_eos, n; `limits` are the names that may state the limit (the smallest counts).
GenerateOptions read_output(const Fields& fields, const Service& service, std::initializer_list<const char*> limits);
int read_n(const Fields& fields, const char* name);
/// id_slot; -1: any.
int read_slot(const Fields& fields);
/// Sampling and output with OpenAI's names for the limit, as a request without ids.
Request read_request(const Fields& fields, const Service& service, std::initializer_list<const char*> limits);

/// Every setting by its name, for /props, /slots and generation_settings.
Json describe_sampling(const ResolvedSampling& sampling);

}  // namespace glint::server
