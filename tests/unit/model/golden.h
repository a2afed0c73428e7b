// SPDX-License-Identifier: Apache-2.0
//
// The golden models: 19 tiny random models of 15 architectures with logits and greedy ids by Hugging Face transformers.
// They lie outside the repository; tests skip where they are absent.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "model/decoder.h"
#include "model/load.h"

namespace glint::golden {

inline std::string folder() { return std::string(GLINT_SHARED) + "/golden"; }
inline bool available() { return std::filesystem::exists(folder()); }

inline const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = {
      "deepseek_v3", "gemma", "gemma2", "gemma3", "glm4", "glm4_moe", "glm4_moe_lite", "glm4_moe_lite_mtp",
      "glm4_moe_lite_realdims", "glm4_moe_qknorm", "gpt_oss", "llama", "llama2", "mistral", "phi3", "phi3_longrope",
      "qwen2", "qwen3", "qwen3_moe"};
  return kNames;
}

inline nlohmann::json answers(const std::string& name) {
  return nlohmann::json::parse(std::ifstream(folder() + "/" + name + ".json"));
}

/// A model with everything it needs to run.
struct Instance {
  explicit Instance(const std::string& name, std::unique_ptr<Backend> made, DecoderOptions options)
      : Instance(gguf::File::open(folder() + "/" + name + ".gguf"), std::move(made), options) {}
  Instance(gguf::File opened, std::unique_ptr<Backend> made, DecoderOptions options)
      : file(std::move(opened)), backend(std::move(made)), model(load_model(file, *backend, options.nextn)) {
    decoder = std::make_unique<Decoder>(model, *backend, options);
  }

  /// Appends ids to sequence 0 from `start` and returns the logits of the last.
  std::vector<float> feed(const std::vector<int32_t>& ids, int start = 0, int sequence = 0) {
    std::vector<Row> rows;
    for (size_t i = 0; i < ids.size(); ++i) rows.push_back({ids[i], start + static_cast<int32_t>(i), sequence});
    decoder->forward(rows);
    return last_logits(static_cast<int>(ids.size()) - 1);
  }
  std::vector<float> last_logits(int index) {
    const std::span<const float> row = decoder->logits(std::vector<int>{index});
    return {row.begin(), row.end()};
  }

  gguf::File file;
  std::unique_ptr<Backend> backend;
  LoadedModel model;
  std::unique_ptr<Decoder> decoder;
};

/// f32 cache and room for every golden prompt and continuation; 256 keeps phi3_longrope on its short factors.
inline DecoderOptions exact_options() {
  DecoderOptions options;
  options.n_ctx = 256;
  options.max_tokens = 128;
  options.kv = {DType::kF32, DType::kF32};
  return options;
}

inline int argmax(const std::vector<float>& row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace glint::golden
