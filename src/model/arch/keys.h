// SPDX-License-Identifier: Apache-2.0
//
// Reads the hyperparameters of one file for the architectures: names are given without the "<architecture>." prefix,
// every value is checked against a range, and what is wrong is named in full, with the value found. Also answers which
// tensors are there, for facts that metadata leaves out, and collects findings. Called by arch_*.cpp alone.
// Tested by tests/unit/model/keys_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/file.h"
#include "model/lint.h"

namespace glint {

class Keys {
 public:
  explicit Keys(const gguf::File& file);

  const std::string& architecture() const { return architecture_; }
  const gguf::File& file() const { return file_; }
  std::string full(std::string_view name) const { return architecture_ + "." + std::string(name); }
  bool has(std::string_view name) const { return file_.metadata().contains(full(name)); }
  /// Set on the command line with --override-kv.
  bool overridden(std::string_view name) const;

  /// Throw Error naming key, value and range. The `_or` forms return `absent` only where the key is absent; a value of
  /// the wrong type is an Error there too.
  int integer(std::string_view name, int low = 1, int high = kMaxDim) const;
  int integer_or(std::string_view name, int absent, int low = 0, int high = kMaxDim) const;
  double number(std::string_view name, double low, double high) const;
  double number_or(std::string_view name, double absent, double low, double high) const;
  bool boolean_or(std::string_view name, bool absent) const;
  std::string_view string_or(std::string_view name, std::string_view absent) const;

  bool has_tensor(std::string_view name) const { return file_.find(name) != nullptr; }
  /// Whether any block has a tensor of this name ("attn_q.bias"). What is in one block is required of all, so that a
  /// file which lost one tensor is refused rather than read as another model.
  bool some_block_has(std::string_view name) const;
  /// A rope_* tensor: exactly n positive values of F32.
  std::vector<float> divisors(std::string_view tensor_name, int n) const;

  void note(std::string text) { add(FindingLevel::kNote, std::move(text), ""); }
  void warn(std::string text, std::string fix) { add(FindingLevel::kWarning, std::move(text), std::move(fix)); }
  void error(std::string text, std::string fix) { add(FindingLevel::kError, std::move(text), std::move(fix)); }
  std::vector<Finding>& findings() { return findings_; }

  static constexpr int kMaxDim = 1 << 20;

 private:
  void add(FindingLevel level, std::string text, std::string fix) {
    findings_.push_back({level, std::move(text), std::move(fix)});
  }

  const gguf::File& file_;
  std::string architecture_;
  std::vector<Finding> findings_;
};

}  // namespace glint
