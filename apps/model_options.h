// SPDX-License-Identifier: Apache-2.0
//
// Flags that every command which loads a model shares, with llama.cpp's names, and their way to EngineOptions.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "gguf/file.h"

namespace glint::app {

struct ModelOptions {
  std::string model;  // empty: the embedded demo model
  std::vector<std::string> overrides;
  std::string backend = "cpu";
  int n_threads = 0;
  int n_ctx = 0;
  int n_ubatch = 512;
  std::string cache_type_k;  // empty: f16, or f32 in exact use
  std::string cache_type_v;
};

/// Adds -m and --override-kv only: for commands that read a file and compute nothing. `required`: -m must be given.
void add_file_options(CLI::App& command, ModelOptions& options, bool required);
/// Adds those and the flags of computing: -t -c -ub -ctk -ctv --backend ...
void add_model_options(CLI::App& command, ModelOptions& options, bool required);

/// What the engine is to do. The cache is f32 where `exact` and -ctk is not given: `logits`, `run --ids` and the ref backend
/// round nothing but the weights.
EngineOptions to_engine_options(const ModelOptions& options, bool exact);

/// Prints a model's warnings on stderr.
void print_warnings(const LoadedModel& model);

/// Opens options.model, or the embedded demo model where it is empty.
gguf::File open_model_file(const ModelOptions& options);

/// Bytes of the embedded demo model; empty in a build without one.
std::span<const std::byte> embedded_model();

/// "1,2,3" or "[1, 2, 3]"; throws Error naming the piece that is no id.
std::vector<int32_t> parse_ids(const std::string& text);
/// The inverse: "[1,2,3]".
std::string print_ids(std::span<const int32_t> ids);

/// Whole file, or stdin for "-"; throws Error with the system's reason.
std::string read_text_file(const std::string& path);

}  // namespace glint::app
