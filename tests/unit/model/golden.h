// SPDX-License-Identifier: Apache-2.0
//
// The golden models: 19 tiny random models of 15 architectures with logits and greedy ids by Hugging Face transformers.
// They lie outside the repository; tests skip where they are absent.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "gguf/file.h"
#include "model/decoder.h"
#include "model/load.h"
#include "tests/unit/model/edited_file.h"

namespace glint::golden {

inline std::string folder() {
  return std::string(GLINT_SHARED) + "/golden";
}
inline bool available() {
  return std::filesystem::exists(folder());
}

inline const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = {"deepseek_v3",
                                                  "gemma",
                                                  "gemma2",
                                                  "gemma3",
                                                  "glm4",
                                                  "glm4_moe",
                                                  "glm4_moe_lite",
                                                  "glm4_moe_lite_mtp",
                                                  "glm4_moe_lite_realdims",
                                                  "glm4_moe_qknorm",
                                                  "gpt_oss",
                                                  "llama",
                                                  "llama2",
                                                  "mistral",
                                                  "phi3",
                                                  "phi3_longrope",
                                                  "qwen2",
                                                  "qwen3",
                                                  "qwen3_moe"};
  return kNames;
}

/// "scalar" is the CPU backend without AVX2.
inline std::vector<std::string> backends() {
  return {"ref", "cpu", "scalar"};
}
inline std::unique_ptr<Backend> make(const std::string& backend) {
  if (backend == "cpu") return make_cpu_backend({.n_threads = 3});
  if (backend == "scalar") return make_cpu_backend({.n_threads = 1, .scalar_only = true});
  return make_ref_backend();
}

inline nlohmann::json answers(const std::string& name) {
  return nlohmann::json::parse(std::ifstream(folder() + "/" + name + ".json"));
}

/// A golden file, opened once: tests edit copies of it.
inline const gguf::File& source(const std::string& name) {
  static std::map<std::string, gguf::File> opened;
  const auto found = opened.find(name);
  if (found != opened.end()) return found->second;
  return opened.emplace(name, gguf::File::open(folder() + "/" + name + ".gguf")).first->second;
}
inline EditedFile edit(const std::string& name) {
  return EditedFile(source(name));
}

/// The ids of one of a model's prompts: p1, p7 or p64.
inline std::vector<int32_t> prompt_ids(const std::string& name, const std::string& prompt) {
  const nlohmann::json all = answers(name);
  for (const auto& candidate : all["prompts"]) {
    if (candidate["name"] == prompt) return candidate["ids"].get<std::vector<int32_t>>();
  }
  throw std::runtime_error(name + " has no prompt " + prompt);
}

/// Skips where the golden models are not.
class Test : public testing::Test {
 protected:
  void SetUp() override {
    if (!available()) GTEST_SKIP() << "the golden models are not here";
  }
};

/// A model with everything it needs to run.
struct Instance {
  explicit Instance(const std::string& name, std::unique_ptr<Backend> made, DecoderOptions options)
      : Instance(gguf::File::open(folder() + "/" + name + ".gguf"), std::move(made), options) {}
  /// `made` from edits; the bytes live as long as the instance.
  explicit Instance(OwnedFile edited, DecoderOptions options, std::unique_ptr<Backend> made = make_ref_backend())
      : Instance(std::move(edited.file), std::move(made), options, std::move(edited.image)) {}
  Instance(gguf::File opened, std::unique_ptr<Backend> made, DecoderOptions options, std::vector<std::byte> kept = {})
      : image(std::move(kept)),
        file(std::move(opened)),
        backend(std::move(made)),
        model(load_model(file, *backend, {.nextn = options.nextn})) {
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

  std::vector<std::byte> image;
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

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    if (std::isnan(difference)) return HUGE_VAL;
    worst = std::max(worst, difference);
  }
  return worst;
}

inline int argmax(const std::vector<float>& row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

/// Kullback-Leibler divergence of what was computed from what was stored, in nats.
inline double divergence(const std::vector<double>& expected, const std::vector<float>& got) {
  EXPECT_EQ(got.size(), expected.size());
  const auto log_normaliser = [](const auto& logits) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (double logit : logits) sum += std::exp(logit - largest);
    return largest + std::log(sum);
  };
  const double expected_normaliser = log_normaliser(expected);
  const double got_normaliser = log_normaliser(got);
  double sum = 0;
  for (size_t i = 0; i < expected.size() && i < got.size(); ++i) {
    const double log_p = expected[i] - expected_normaliser;
    sum += std::exp(log_p) * (log_p - (got[i] - got_normaliser));
  }
  return std::isnan(sum) ? HUGE_VAL : sum;
}

/// Chooses n ids after a prompt, each the most likely.
inline std::vector<int32_t> greedy(Instance& instance, const std::vector<int32_t>& prompt, int n) {
  std::vector<float> last = instance.feed(prompt);
  std::vector<int32_t> ids;
  while (static_cast<int>(ids.size()) < n) {
    ids.push_back(argmax(last));
    last = instance.feed({ids.back()}, static_cast<int>(prompt.size() + ids.size()) - 1);
  }
  return ids;
}

}  // namespace glint::golden
