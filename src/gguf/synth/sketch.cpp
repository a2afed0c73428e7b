// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/sketch.h"

#include <fmt/format.h>

#include <cmath>

namespace glint::gguf {

void ModelSketch::key(std::string_view name, KeyValue value) {
  keys_.emplace_back(fmt::format("{}.{}", architecture_, name), std::move(value));
}

void ModelSketch::add(std::string_view name, std::vector<int64_t> dims, float deviation, float mean,
                      bool always_mxfp4) {
  std::string full = layer_ < 0 ? std::string(name) : fmt::format("blk.{}.{}", layer_, name);
  tensors_.push_back({std::move(full), std::move(dims), deviation, mean, layer_, always_mxfp4, {}});
}

void ModelSketch::matrix(std::string_view name, std::vector<int64_t> dims, float gain) {
  const float deviation = gain / std::sqrt(static_cast<float>(dims.back()));
  add(name, std::move(dims), deviation, 0);
}

void ModelSketch::experts_mxfp4(std::string_view name, std::vector<int64_t> dims) {
  const float deviation = 1 / std::sqrt(static_cast<float>(dims.back()));
  add(name, std::move(dims), deviation, 0, true);
}

void ModelSketch::norm(std::string_view name, int64_t size) {
  add(name, {size}, 0, 1);
}

void ModelSketch::vector(std::string_view name, std::vector<int64_t> dims, float deviation) {
  add(name, std::move(dims), deviation, 0);
}

void ModelSketch::constants(std::string_view name, std::vector<float> values) {
  add(name, {static_cast<int64_t>(values.size())}, 0, 0);
  tensors_.back().values = std::move(values);
}

}  // namespace glint::gguf
