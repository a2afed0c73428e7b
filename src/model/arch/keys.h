// SPDX-License-Identifier: Apache-2.0
//
// Reads the hyperparameters of one file for the architectures: names are given without the "<architecture>." prefix, every
// value is checked against a range, and what is wrong is named in full. Also collects findings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "model/lint.h"
#include "model/spec.h"

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
  bool has_tensor(std::string_view name) const { return file_.find(name) != nullptr; }

  /// Throws Error naming key, value and range.
  int integer(std::string_view name, int low = 1, int high = kMaxDim) const;
  int integer_or(std::string_view name, int absent, int low = 0, int high = kMaxDim) const;
  float number(std::string_view name, double low, double high) const;
  float number_or(std::string_view name, double absent, double low, double high) const;
  bool boolean_or(std::string_view name, bool absent) const;
  std::string_view string_or(std::string_view name, std::string_view absent) const;
  /// F32 tensor of exactly n values.
  std::vector<float> floats(std::string_view tensor_name, int n) const;

  void note(std::string text, std::string fix = "") { findings_.push_back({FindingLevel::kNote, std::move(text), std::move(fix)}); }
  void warn(std::string text, std::string fix) { findings_.push_back({FindingLevel::kWarning, std::move(text), std::move(fix)}); }
  std::vector<Finding>& findings() { return findings_; }

  static constexpr int kMaxDim = 1 << 24;

 private:
  const gguf::File& file_;
  std::string architecture_;
  std::vector<Finding> findings_;
};

/// What all families have: widths, heads, vocabulary, eps, context, number of blocks (as empty layers).
ModelSpec common_spec(const Keys& keys);
int block_count(const Keys& keys);
/// Blocks of the trunk, and prediction blocks (nextn) after them that the file really has. Metadata and tensors disagree in
/// some files: what is there decides, with a note.
int trunk_blocks(Keys& keys);
int nextn_blocks(const Keys& keys, int n_trunk);

/// Grouped-query attention from the usual keys; RoPE as rope_spec gives it.
GqaSpec common_gqa(const Keys& keys, const ModelSpec& model, bool interleaved);
/// RoPE over n_dims with the file's base and scaling (none, linear, yarn; llama3's rope_freqs tensor).
RopeSpec rope_spec(const Keys& keys, int n_dims, bool interleaved);
/// 1 / base^(2i / n_dims), in f32.
std::vector<float> inverse_frequencies(double base, int n_dims);

/// YaRN (arXiv 2309.00071): blends interpolated and original frequencies between two wavelengths.
struct YarnParams {
  double factor;
  double original_context;
  double beta_fast = 32;
  double beta_slow = 1;
  bool whole_dims = true;  // the blend's borders are rounded to whole dimensions
};
std::vector<float> yarn_inverse_frequencies(double base, int n_dims, const YarnParams& yarn);
YarnParams yarn_params(const Keys& keys);

/// Experts from the usual keys, the gate left to the caller.
MoeSpec common_moe(const Keys& keys);

}  // namespace glint
