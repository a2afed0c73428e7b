// SPDX-License-Identifier: Apache-2.0
//
// From a checked GGUF file to a model on a backend. Every tensor's name, shape and format is checked before it is used;
// what is missing, mis-shaped or of a format that cannot be multiplied is an Error that names it. Tensors that no
// weight needs are not touched and reported once. Tested by tests/unit/model/load_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/lint.h"
#include "model/spec.h"
#include "model/weights.h"

namespace glint {

/// What a file is, without its weights: all that `inspect` needs.
struct CheckedModel {
  ModelSpec spec;
  std::vector<Finding> findings;
};

/// Reads the spec and checks every tensor of the trunk against it; touches no tensor data but that of rope_* tensors.
CheckedModel check_model(const gguf::File& file);
/// The same where findings are wanted of a refused file, too: those made before an Error are in `findings`.
ModelSpec check_model(const gguf::File& file, std::vector<Finding>& findings);

struct LoadedModel {
  ModelSpec spec;
  ModelWeights weights;
  std::vector<Finding> findings;
  std::vector<std::vector<std::byte>> converted;  // tensors whose layout had to change (joint kv_b)
};

/// Told of bytes of the file that are imported; may throw to give up.
using LoadProgress = std::function<void(int64_t done, int64_t total)>;

struct LoadOptions {
  bool nextn = false;  // the prediction blocks too, if the file has any
  LoadProgress progress = nullptr;
  Backend* host = nullptr;  // takes the feed-forward of these layers
  std::vector<bool> ffn_on_host = {};
};

/// `file` must outlive the model (weights may alias it).
LoadedModel load_model(const gguf::File& file, Backend& backend, const LoadOptions& options = {});

/// Checks one use against the file; returns nullptr for an absent optional tensor. Shared by load and plan.
const HostTensor* find_tensor(const gguf::File& file, const TensorUse& use);
/// The use's bias tensor, checked; nullptr where it has none.
const HostTensor* find_bias(const gguf::File& file, const TensorUse& use);

}  // namespace glint
