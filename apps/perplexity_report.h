// SPDX-License-Identifier: Apache-2.0
//
// How `glint perplexity` prints what was found: llama-perplexity's lines and tables, or one JSON object. Used by
// perplexity.cpp. Tested by tests/integration/perplexity_test.py.
#pragma once

#include <nlohmann/json.hpp>

#include <span>

#include "engine/divergence.h"

namespace glint::app {

/// "[1]4.1234," of everything up to a chunk; no line end.
void print_running(int chunk, std::span<const double> nll);
void print_perplexity(std::span<const double> nll);

/// A line a chunk, of everything up to it.
void print_divergence_head();
void print_divergence_row(int chunk, const DivergenceSamples& divergence);
/// The tables at the end. PRECOND of these and of the JSON: at least one position.
void print_divergence(const DivergenceSamples& divergence);

/// Numbers that JSON has no word for are null.
nlohmann::ordered_json perplexity_json(std::span<const double> nll);
nlohmann::ordered_json divergence_json(const DivergenceSamples& divergence);

}  // namespace glint::app
