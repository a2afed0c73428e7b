// SPDX-License-Identifier: Apache-2.0
//
// The plain data that crosses the line between models and backends. All sizes are element counts unless named bytes;
// all pointers are in backend memory unless named host_.
//
// Glossary: n_tokens rows of a step; d_model residual width; n_heads query heads; n_kv key/value heads; d_head width of
// a head; d_ff inner width of a feed-forward; n_experts, top_k; n_vocab; q_rank, kv_rank, d_nope, d_rope, d_v of MLA.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "tensor/dtype.h"

namespace glint {

/// View of f32 activations [n_rows, n_heads, width]; the innermost dimension is contiguous. A plain matrix has
/// n_heads = 1. Owns nothing.
struct Tensor {
  float* data = nullptr;
  int n_rows = 0;
  int n_heads = 1;
  int width = 0;
  int64_t row_stride = 0;   // in floats
  int64_t head_stride = 0;  // in floats

  static Tensor matrix(float* data, int n_rows, int width) { return {data, n_rows, 1, width, width, width}; }
  /// Rows [first, first + count).
  Tensor rows(int first, int count) const {
    GLINT_DCHECK(first >= 0 && first + count <= n_rows);
    return {data + first * row_stride, count, n_heads, width, row_stride, head_stride};
  }
  /// Columns [first, first + count) of every head.
  Tensor columns(int first, int count) const {
    GLINT_DCHECK(first >= 0 && first + count <= width);
    return {data + first, n_rows, n_heads, count, row_stride, head_stride};
  }
  /// The same memory with each row cut into heads; PRECOND: n_heads == 1 and `heads` divides width.
  Tensor split_heads(int heads) const {
    GLINT_DCHECK(n_heads == 1 && width % heads == 0);
    return {data, n_rows, heads, width / heads, row_stride, width / heads};
  }
  /// The inverse; PRECOND: heads are contiguous.
  Tensor merge_heads() const {
    GLINT_DCHECK(head_stride == width);
    return {data, n_rows, 1, n_heads * width, row_stride, static_cast<int64_t>(n_heads) * width};
  }
  float* row(int r) const { return data + r * row_stride; }
  float* head(int r, int h) const { return data + r * row_stride + h * head_stride; }
};

/// A weight as the backend keeps it: `count` stacked matrices [n_out, n_in] (1 normally; heads or experts otherwise).
/// Copies share the storage. On the CPU `data` aliases the mapped file.
struct Weight {
  DType dtype = DType::kF32;
  int count = 0;  // 0: absent
  int n_out = 0;
  int n_in = 0;
  const void* data = nullptr;         // backend's own layout
  const float* bias = nullptr;        // [count, n_out] f32, or null; matmul adds it
  std::shared_ptr<const void> owner;  // keeps data alive when the backend made its own copy

  explicit operator bool() const { return count != 0; }
};

enum class Activation { kSilu, kGeluTanh, kGptOssSwiglu };  // the last: clamped swiglu of gpt-oss, see Backend::glu

/// Rotary embedding of the first n_dims of each head (arXiv 2104.09864). The table is made by the model loader, with
/// any context extension already in it.
struct RopeParams {
  int n_dims = 0;
  bool interleaved = false;                  // pairs (2i, 2i+1); otherwise (i, i + n_dims/2)
  float scale = 1;                           // multiplies cos and sin ("attention factor")
  const float* inverse_frequency = nullptr;  // [n_dims / 2] f32 in backend memory; angle = position * this, in f32
};

/// Consecutive rows of one step that belong to one sequence.
struct Segment {
  int sequence = 0;
  int first_row = 0;
  int n_rows = 0;
  int first_position = 0;
};

/// Rows of one step and where they go in the cache. Rows of one sequence are consecutive and ascend by position.
/// Arrays live in backend memory; nothing that varies between steps is anywhere else, but for `host_segments`, which a
/// replayed step must not look at.
struct Batch {
  int n_tokens = 0;
  const int32_t* ids = nullptr;         // [n_tokens]
  const int32_t* positions = nullptr;   // [n_tokens]
  const int32_t* sequences = nullptr;   // [n_tokens] row of page_table
  const int32_t* page_table = nullptr;  // [n_sequences, max_pages] physical page of each logical page
  int max_pages = 0;
  std::span<const Segment> host_segments = {};  // the rows once more, for launch shapes of large steps
};

/// Tokens a page of the cache holds.
inline constexpr int kPageTokens = 64;

/// One layer's cache: pages of kPageTokens rows. Row of K: n_kv * d_k values of `k_dtype` (a row is whole blocks);
/// row of V likewise. MLA: n_kv = 1, d_k = kv_rank + d_rope, no V storage: V is the first kv_rank values of K.
struct KvLayer {
  void* k = nullptr;
  void* v = nullptr;  // null: V is a prefix of K
  DType k_dtype = DType::kF16;
  DType v_dtype = DType::kF16;
  int n_kv = 0;
  int d_k = 0;
  int d_v = 0;
  int64_t k_row_bytes() const { return row_bytes(k_dtype, static_cast<int64_t>(n_kv) * d_k); }
  int64_t v_row_bytes() const { return v == nullptr ? 0 : row_bytes(v_dtype, static_cast<int64_t>(n_kv) * d_v); }
};

/// softmax(scale * q.k, soft-capped, causal, windowed, with an optional sink) . v
struct AttendParams {
  float scale = 1;
  float softcap = 0;             // 0: none; else s = softcap * tanh(s / softcap)
  int window = 0;                // 0: all; else only positions > position - window
  const float* sinks = nullptr;  // [n_heads] extra logit that takes probability and adds nothing (gpt-oss), or null
};

enum class Gate { kSoftmax, kSigmoid, kSoftmaxAfterTopK };

struct RouteParams {
  Gate gate = Gate::kSoftmax;
  int top_k = 0;
  int n_groups = 1;  // experts in equal groups of which only the best n_groups_used compete; a group's score is the
  int n_groups_used = 1;  // sum of its best two with sigmoid gates (arXiv 2412.19437), its best otherwise (2405.04434)
  bool renormalise = false;
  float scale = 1;
  const float* selection_bias = nullptr;  // [n_experts] added for choosing only, or null
};

/// One of a row's largest values (Backend::top).
struct TopEntry {
  int32_t index = 0;
  float value = 0;
};
inline constexpr int kMostTop = 128;

/// Chosen experts of each token, best first (ties to the lower id), in backend memory.
struct Routing {
  int32_t* expert = nullptr;  // [n_tokens, top_k]
  float* weight = nullptr;    // [n_tokens, top_k]
  int n_tokens = 0;
  int top_k = 0;
};

}  // namespace glint
