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
  std::string backend = "auto";
  std::string device;        // none, CUDA0, ...; empty: as the backend says
  std::string gpu_layers;    // -ngl: a number, auto or all; empty: auto
  bool force_generic = false;
  bool cpu_moe = false;
  int n_cpu_moe = 0;
  std::vector<std::string> tensor_places;
  int n_threads = 0;
  int n_ctx = 0;
  int n_ubatch = 512;
  std::string cache_type_k;  // empty: f16, or f32 in exact use
  std::string cache_type_v;
};

/// Adds -m and --override-kv only: for commands that read a file and compute nothing. `required`: -m must be given.
void add_file_options(CLI::App& command, ModelOptions& options, bool required);
/// --list-devices: prints them and ends the program.
void add_device_list(CLI::App& command);
/// Where a model computes: --backend -dev -ngl -fa --force-generic --list-devices.
void add_device_options(CLI::App& command, ModelOptions& options);
/// Adds those and the flags of computing: -t -c -ub -ctk -ctv -dev -ngl ...
void add_model_options(CLI::App& command, ModelOptions& options, bool required);

/// What the engine is to do. Where `exact` (`logits`, `run --ids`) nothing but the weights is rounded unless flags say so: the
/// cache is f32 and the CPU computes. Throws Error for values that make no sense.
EngineOptions to_engine_options(const ModelOptions& options, bool exact);

/// Opens the engine as the user sees it: says where the model goes if that is a card, shows progress, prints the model's
/// warnings. Throws Error when Ctrl-C ends loading, or options.on_load, which is called too.
Engine open_engine(gguf::File file, EngineOptions options);

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
