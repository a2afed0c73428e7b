// SPDX-License-Identifier: Apache-2.0
//
// What a synthetic model's file will hold, before formats are chosen: metadata, tensor names, shapes, and how large the
// random values are. Filled by models.cpp, written by synth.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace glint::gguf {

using KeyValue = std::variant<uint32_t, float, bool, std::string, std::vector<std::string>>;

/// One tensor and how large its random values are, or which values it holds.
struct TensorSketch {
  std::string name;
  std::vector<int64_t> dims;  // outermost first
  float deviation = 0;
  float mean = 0;
  int layer = -1;             // -1 outside layers
  bool always_mxfp4 = false;  // whatever the mix
  std::vector<float> values;  // of a vector whose values are no weights; empty: random
};

/// A model's file before formats are chosen.
class ModelSketch {
 public:
  ModelSketch(std::string architecture, int n_layers, int64_t n_vocab)
      : architecture_(std::move(architecture)), n_layers_(n_layers), n_vocab_(n_vocab) {}

  const std::string& architecture() const { return architecture_; }
  int n_layers() const { return n_layers_; }
  int64_t n_vocab() const { return n_vocab_; }
  const std::vector<std::pair<std::string, KeyValue>>& keys() const { return keys_; }
  const std::vector<TensorSketch>& tensors() const { return tensors_; }

  /// A key of the architecture: "block_count" becomes "llama.block_count".
  void key(std::string_view name, KeyValue value);
  /// A key with its whole name.
  void plain_key(std::string name, KeyValue value) { keys_.emplace_back(std::move(name), std::move(value)); }

  /// The layer that tensors named from here on belong to; -1 for none.
  void enter_layer(int layer) { layer_ = layer; }
  /// A matrix, or a stack of them: values of deviation gain / sqrt(inputs), where inputs is the last of dims.
  void matrix(std::string_view name, std::vector<int64_t> dims, float gain = 1);
  void experts_mxfp4(std::string_view name, std::vector<int64_t> dims);
  /// All ones.
  void norm(std::string_view name, int64_t size);
  /// Small values around 0 of the given deviation.
  void vector(std::string_view name, std::vector<int64_t> dims, float deviation);
  /// A vector of these very values.
  void constants(std::string_view name, std::vector<float> values);

 private:
  void add(std::string_view name, std::vector<int64_t> dims, float deviation, float mean, bool always_mxfp4 = false);

  std::string architecture_;
  int n_layers_;
  int64_t n_vocab_;
  int layer_ = -1;
  std::vector<std::pair<std::string, KeyValue>> keys_;
  std::vector<TensorSketch> tensors_;
};

}  // namespace glint::gguf
