// SPDX-License-Identifier: Apache-2.0
//
// Makes llama.cpp's command lines fit CLI11: single-dash names of several letters ("-ngl"), switches that may or may not
// take a value ("-fa", "-fa on"), flags that are known but have no effect here (one named warning each, never silence),
// and unknown flags (an error that names the nearest match). Called by main before parsing.
// Tested by tests/integration/cli_test.py.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace glint::app {

/// Arguments after the subcommand's name, rewritten for `command`. Throws Error for an unknown flag; warns on stderr.
std::vector<std::string> normalise_arguments(const CLI::App& command, const std::vector<std::string>& arguments);

/// The candidate with the smallest edit distance, or "" when none is near.
std::string nearest_match(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace glint::app
