// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_block.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/matmul.h"
#include "cuda/matvec.h"
#include "cuda/mla_prefill.h"
#include "cuda/mla_prompt_sm90.h"
#include "cuda/mla_rows.h"
#include "cuda/pack.h"
#include "cuda/row_ops.h"

namespace glint::cuda {
namespace {

/// New rows of a sequence from which expanding its cached latents costs less than absorbed attention's larger products:
/// the expansion is 0.43 GFLOP a cached token, the difference 1.08 MFLOP a pair (GLM-4.7-Flash; 398 rows break even).
constexpr int kExpandRows = 64;

/// Rows whose parts of attention the values' product folds itself.
constexpr int kMostFolded = 2;

const float* floats(const Weight& w) {
  return static_cast<const float*>(w.data);
}

bool all_packed(std::initializer_list<const Weight*> weights) {
  for (const Weight* w : weights) {
    if (w->dtype == DType::kF32 || w->bias != nullptr) return false;
  }
  return true;
}

bool has_fast_path(int d_model, const BlockContext& block, const MlaShape& shape, const MlaWeights& weights) {
  if (block.post_norm || shape.q_rank == 0 || shape.q_rank % 64 != 0) return false;
  // Halves of rows and of low queries lie in scratch of d_model floats a row.
  if (!halves_fit(d_model) || shape.q_rank > 2 * d_model) return false;
  if (shape.d_nope % 64 != 0 || shape.kv_rank % 64 != 0 || shape.d_v % 64 != 0) return false;
  return all_packed({&weights.q_a, &weights.q_b, &weights.kv_a, &weights.k_b, &weights.v_b, &weights.output});
}

/// One call of the block: its tensors and parts.
class MlaStep {
 public:
  MlaStep(const MlaContext& context, Tensor x, const BlockContext& block, const MlaShape& shape,
          const MlaWeights& weights, const KvLayer& cache, const RopeParams& rope_params)
      : context_(context),
        stream_(context.stream),
        x_(x),
        block_(block),
        shape_(shape),
        weights_(weights),
        cache_(cache),
        rope_params_(rope_params),
        n_(x.n_rows),
        q_(Tensor::matrix(block.scratch.q.data, n_, shape.n_heads * (shape.d_nope + shape.d_rope))),
        q_low_(Tensor::matrix(block.scratch.q_low.data, n_, shape.q_rank)),
        latent_(Tensor::matrix(block.scratch.latent.data, n_, shape.kv_rank + shape.d_rope)),
        q_latent_(Tensor::matrix(block.scratch.q_latent.data, n_, shape.n_heads * (shape.kv_rank + shape.d_rope))
                      .split_heads(shape.n_heads)),
        o_latent_(
            Tensor::matrix(block.scratch.o_latent.data, n_, shape.n_heads * shape.kv_rank).split_heads(shape.n_heads)) {
  }

  void few_tokens() {
    const Tensor attended = Tensor::matrix(block_.scratch.attended.data, n_, shape_.n_heads * shape_.d_v);
    matvec_several(stream_, norm_input(x_, block_.norm, block_.eps),
                   {{{.out = q_low_.data, .row_stride = q_low_.row_stride}, PackedMatrix(weights_.q_a)},
                    {{.out = latent_.data, .row_stride = latent_.row_stride}, PackedMatrix(weights_.kv_a)}});
    matvec(stream_, {.out = q_.data, .row_stride = q_.row_stride}, norm_input(q_low_, weights_.q_a_norm, shape_.eps),
           PackedMatrix(weights_.q_b));
    const Tensor q_heads = q_.split_heads(shape_.n_heads);
    if (cache_.k_dtype == DType::kF16) {
      matvec_and_mla_rows(
          stream_, {.out = q_latent_.data, .row_stride = q_latent_.row_stride, .head_stride = q_latent_.head_stride},
          {.x = q_heads.data, .row_stride = q_heads.row_stride, .head_stride = q_heads.head_stride, .n_tokens = n_},
          PackedMatrix(weights_.k_b), weights_.k_b.count, row_args());
    } else {
      finish_rows(nullptr);
      heads(q_latent_, q_heads, weights_.k_b);
    }
    const Tensor values = attended.split_heads(shape_.n_heads);
    // Each block that takes folded parts folds them for itself, token after token: soon too long.
    if (n_ <= kMostFolded && mla_decode_supports(cache_, q_latent_, o_latent_)) {
      matvec_of_splits(stream_,
                       {.out = values.data, .row_stride = values.row_stride, .head_stride = values.head_stride},
                       mla_split(stream_, context_.workspace, q_latent_, cache_, block_.batch, shape_.scale, 0, n_),
                       PackedMatrix(weights_.v_b));
    } else {
      attend(stream_, o_latent_, q_latent_, cache_, block_.batch, {.scale = shape_.scale}, context_.workspace);
      heads(values, o_latent_, weights_.v_b);
    }
    matvec(stream_,
           {.out = x_.data, .row_stride = x_.row_stride, .head_stride = 0, .bias = nullptr, .scale = 1, .add = true},
           {.x = attended.data, .row_stride = attended.row_stride, .head_stride = 0, .n_tokens = n_},
           PackedMatrix(weights_.output));
  }

  void many_tokens() {
    // Halves live in scratch of f32, which has room for each twice.
    auto* normed = reinterpret_cast<__half*>(block_.scratch.normed.data);
    to_half(stream_, normed, x_, 1, floats(block_.norm), block_.eps);
    const HalfRows in = rows(normed, half_columns(x_.width), n_);
    matmul_both(stream_,
                {{.out = q_low_.data, .row_stride = q_low_.row_stride},
                 {.out = latent_.data, .row_stride = latent_.row_stride}},
                in, {PackedMatrix(weights_.q_a), PackedMatrix(weights_.kv_a)});
    auto* q_low_half = reinterpret_cast<__half*>(block_.scratch.delta.data);
    to_half(stream_, q_low_half, q_low_, 1, floats(weights_.q_a_norm), shape_.eps);
    matmul(stream_, Store::kF32, {.out = q_.data, .row_stride = q_.row_stride}, rows(q_low_half, shape_.q_rank, n_),
           PackedMatrix(weights_.q_b));
    const auto& segments = block_.batch.host_segments;
    // Where all is absorbed, the halves of its queries are made on the way.
    const bool all_absorbed = std::ranges::none_of(segments, [&](const Segment& s) { return expands(s); });
    finish_rows(all_absorbed ? absorbed_halves(n_) : nullptr);

    const int d_attended = shape_.n_heads * shape_.d_v;
    auto* attended = reinterpret_cast<__half*>(block_.scratch.attended.data);
    // Sequences with few new rows go together: absorbed attention looks at each row's own context.
    for (size_t at = 0; at < segments.size();) {
      Segment segment = segments[at++];
      __half* out = attended + static_cast<int64_t>(segment.first_row) * d_attended;
      if (expands(segment)) {
        expanded(out, segment);
        continue;
      }
      while (at < segments.size() && !expands(segments[at])) segment.n_rows += segments[at++].n_rows;
      absorbed(out, segment, all_absorbed);
    }
    matmul(stream_, Store::kF32Add, {.out = x_.data, .row_stride = x_.row_stride}, rows(attended, d_attended, n_),
           PackedMatrix(weights_.output));
  }

 private:
  static HalfRows rows(const __half* data, int64_t row_stride, int n_rows) {
    return {.data = data, .row_stride = row_stride, .head_stride = 0, .n_rows = n_rows};
  }

  /// See MlaRows.
  void finish_rows(__half* q_nope) {
    finish_mla_rows(stream_, mla_rows(q_nope), shape_, floats(weights_.kv_a_norm), block_.batch, cache_, rope_params_);
  }
  MlaRows mla_rows(__half* q_nope) const {
    return {.latent = latent_, .q = q_.split_heads(shape_.n_heads), .q_latent = q_latent_, .q_nope = q_nope};
  }
  MlaRowArgs row_args() const {
    return mla_row_args(mla_rows(nullptr), shape_, floats(weights_.kv_a_norm), block_.batch, cache_, rope_params_);
  }
  /// Room for what goes into and comes out of absorbed attention, one after the other.
  __half* absorbed_halves(int n) {
    return context_.workspace.halves(
        stream_, static_cast<int64_t>(n) * shape_.n_heads * std::max(shape_.d_nope, shape_.kv_rank));
  }

  void heads(Tensor out, Tensor in, const Weight& w) {
    matvec(stream_, {.out = out.data, .row_stride = out.row_stride, .head_stride = out.head_stride},
           {.x = in.data, .row_stride = in.row_stride, .head_stride = in.head_stride, .n_tokens = n_}, PackedMatrix(w),
           w.count);
  }

  bool can_expand() const {
    return (weights_.k_b_transposed || weights_.expansion) && cache_.k_dtype == DType::kF16 &&
           mla_prefill_supports(shape_.d_nope, shape_.d_rope, shape_.d_v);
  }

  bool expands(const Segment& segment) const { return segment.n_rows >= kExpandRows && can_expand(); }

  /// Absorbed attention of some rows in a row, of whichever sequences. has_halves: of the queries, made before.
  void absorbed(__half* out, const Segment& segment, bool has_halves) {
    const Batch batch = batch_of(segment);
    const int n = segment.n_rows;
    const Tensor q_heads = q_.rows(segment.first_row, n).split_heads(shape_.n_heads);
    const Tensor q_latent = q_latent_.rows(segment.first_row, n);
    const Tensor o_latent = o_latent_.rows(segment.first_row, n);
    __half* q_nope = absorbed_halves(n);
    if (!has_halves) to_half(stream_, q_nope, q_heads.columns(0, shape_.d_nope), 1, nullptr, 0);
    matmul(stream_, Store::kF32,
           {.out = q_latent.data, .row_stride = q_latent.row_stride, .head_stride = q_latent.head_stride},
           {.data = q_nope,
            .row_stride = static_cast<int64_t>(shape_.n_heads) * shape_.d_nope,
            .head_stride = shape_.d_nope,
            .n_rows = n},
           PackedMatrix(weights_.k_b), shape_.n_heads);
    __half* o_half = q_nope;
    if (mla_decode_supports(cache_, q_latent, o_latent)) {
      mla_decode(stream_, context_.workspace, o_half, q_latent, cache_, batch, shape_.scale);
    } else {
      attend(stream_, o_latent, q_latent, cache_, batch, {.scale = shape_.scale}, context_.workspace);
      to_half(stream_, o_half, o_latent, 1, nullptr, 0);
    }
    matmul(stream_, Store::kHalf,
           {.out = out, .row_stride = static_cast<int64_t>(shape_.n_heads) * shape_.d_v, .head_stride = shape_.d_v},
           {.data = o_half,
            .row_stride = static_cast<int64_t>(shape_.n_heads) * shape_.kv_rank,
            .head_stride = shape_.kv_rank,
            .n_rows = n},
           PackedMatrix(weights_.v_b), shape_.n_heads);
  }

  /// Attention of one sequence's rows over keys and values expanded from the cache, its new rows included.
  void expanded(__half* out, const Segment& segment) {
    const Tensor q_heads = q_.rows(segment.first_row, segment.n_rows).split_heads(shape_.n_heads);
    __half* q_half = context_.workspace.halves(stream_, static_cast<int64_t>(segment.n_rows) * q_.width);
    rotate_queries(stream_, q_half, q_heads, shape_.d_nope, block_.batch.positions + segment.first_row, rope_params_);
    if (weights_.expansion) {
      expanded_sm90(out, segment, q_half);
    } else {
      expanded_rows(out, segment, q_half);
    }
  }

  void expanded_sm90(__half* out, const Segment& segment, const __half* q_half) {
    const int n_total = segment.first_position + segment.n_rows;
    __half* memory = context_.workspace.expanded(stream_, PromptTiles::halves(n_total, shape_.n_heads));
    const PromptTiles tiles(memory, n_total, shape_.n_heads);
    expand_latents(stream_, tiles,
                   {.cache = static_cast<const __half*>(cache_.k),
                    .pages = block_.batch.page_table + static_cast<int64_t>(segment.sequence) * block_.batch.max_pages,
                    .weights = static_cast<const __half*>(weights_.expansion.data),
                    .n = n_total,
                    .n_heads = shape_.n_heads});
    attend_prompt(stream_,
                  {.out = out,
                   .q = q_half,
                   .n_rows = segment.n_rows,
                   .n_past = segment.first_position,
                   .n_heads = shape_.n_heads,
                   .scale = shape_.scale},
                  tiles);
  }

  void expanded_rows(__half* out, const Segment& segment, const __half* q_half) {
    const int n_total = segment.first_position + segment.n_rows;
    const int64_t d_keys = static_cast<int64_t>(shape_.n_heads) * shape_.d_nope;
    const int64_t d_values = static_cast<int64_t>(shape_.n_heads) * shape_.d_v;
    __half* latent =
        context_.workspace.expanded(stream_, n_total * (shape_.kv_rank + shape_.d_rope + d_keys + d_values));
    __half* tail = latent + static_cast<int64_t>(n_total) * shape_.kv_rank;
    __half* keys = tail + static_cast<int64_t>(n_total) * shape_.d_rope;
    __half* values = keys + n_total * d_keys;
    gather_latents(stream_, latent, tail, cache_, block_.batch, segment.sequence, n_total, shape_.kv_rank);
    const HalfRows latents = rows(latent, shape_.kv_rank, n_total);
    matmul(stream_, Store::kHalf, {.out = keys, .row_stride = d_keys}, latents, tall(weights_.k_b_transposed));
    matmul(stream_, Store::kHalf, {.out = values, .row_stride = d_values}, latents, tall(weights_.v_b));
    mla_prefill(stream_, {.out = out,
                          .q = q_half,
                          .k_nope = keys,
                          .k_rope = tail,
                          .v = values,
                          .n_rows = segment.n_rows,
                          .n_past = segment.first_position,
                          .n_heads = shape_.n_heads,
                          .scale = shape_.scale});
  }

  /// Stacked matrices as one.
  static PackedMatrix tall(const Weight& w) { return {w.data, w.dtype, w.count * w.n_out, w.n_in}; }

  Batch batch_of(const Segment& segment) const {
    Batch batch = block_.batch;
    batch.n_tokens = segment.n_rows;
    batch.positions += segment.first_row;
    batch.sequences += segment.first_row;
    return batch;
  }

  const MlaContext& context_;
  const Stream& stream_;
  Tensor x_;
  const BlockContext& block_;
  const MlaShape& shape_;
  const MlaWeights& weights_;
  const KvLayer& cache_;
  const RopeParams& rope_params_;
  int n_;
  Tensor q_;         // [n, n_heads * (d_nope + d_rope)]
  Tensor q_low_;     // [n, q_rank]
  Tensor latent_;    // [n, kv_rank + d_rope]
  Tensor q_latent_;  // [n, n_heads, kv_rank + d_rope]
  Tensor o_latent_;  // [n, n_heads, kv_rank]
};

}  // namespace

bool mla_block(const MlaContext& context, Tensor x, const BlockContext& block, const MlaShape& shape,
               const MlaWeights& weights, const KvLayer& cache, const RopeParams& rope_params) {
  if (!has_fast_path(x.width, block, shape, weights)) return false;
  MlaStep step(context, x, block, shape, weights, cache, rope_params);
  if (x.n_rows <= kMatvecTokens) {
    step.few_tokens();
  } else {
    step.many_tokens();
  }
  return true;
}

namespace {

bool is_packed(const Weight& w) {
  return w && w.dtype != DType::kF32;
}

bool takes_expansion(const Stream& stream, const MlaWeights& weights) {
  const Weight& k_b = weights.k_b;
  const Weight& v_b = weights.v_b;
  return is_packed(k_b) && is_packed(v_b) &&
         prompt_sm90_supports(stream, k_b.count, k_b.n_out, k_b.n_in, PromptShape::kRope, v_b.n_out);
}
bool takes_transposed(const MlaWeights& weights) {
  return is_packed(weights.k_b) && weights.k_b.n_in % kTileRows == 0;
}

size_t half_bytes(const Weight& w) {
  return static_cast<size_t>(w.count) * static_cast<size_t>(w.n_out) * static_cast<size_t>(w.n_in) * sizeof(__half);
}

Weight expansion_of(const Stream& stream, const Weight& k_b, const Weight& v_b) {
  const DeviceBuffer rows(half_bytes(k_b) + half_bytes(v_b));
  auto* keys = static_cast<__half*>(rows.data());
  unpack_heads(stream, keys, k_b, /*transposed=*/true);
  unpack_heads(stream, keys + half_bytes(k_b) / sizeof(__half), v_b, /*transposed=*/false);
  const auto buffer = std::make_shared<DeviceBuffer>(rows.bytes());
  tile_expansion(stream, static_cast<__half*>(buffer->data()), keys, k_b.count);
  check(cudaStreamSynchronize(stream.handle));  // `rows` go
  return {.dtype = DType::kF16,
          .count = 1,
          .n_out = k_b.count * k_b.n_in + v_b.count * v_b.n_out,
          .n_in = k_b.n_out,
          .data = buffer->data(),
          .bias = nullptr,
          .owner = buffer};
}

Weight transposed_k_b(const Stream& stream, const Weight& k_b) {
  const DeviceBuffer plain(half_bytes(k_b));
  auto* values = static_cast<__half*>(plain.data());
  unpack_heads(stream, values, k_b, /*transposed=*/true);
  Weight w{.dtype = DType::kF16,
           .count = k_b.count,
           .n_out = k_b.n_in,
           .n_in = k_b.n_out,
           .data = nullptr,
           .bias = nullptr,
           .owner = {}};
  const int n_rows = w.count * w.n_out;
  PackedMatrix matrix(nullptr, DType::kF16, n_rows, w.n_in);
  const auto buffer = std::make_shared<DeviceBuffer>(static_cast<size_t>(matrix.bytes()));
  matrix.tiles = static_cast<const uint8_t*>(buffer->data());
  pack(stream, matrix, DType::kF16, values, 0, n_rows);
  check(cudaStreamSynchronize(stream.handle));  // `plain` goes
  w.data = buffer->data();
  w.owner = buffer;
  return w;
}

}  // namespace

void adapt_mla(const Stream& stream, MlaWeights& weights) {
  if (takes_expansion(stream, weights)) {
    weights.expansion = expansion_of(stream, weights.k_b, weights.v_b);
  } else if (takes_transposed(weights)) {
    weights.k_b_transposed = transposed_k_b(stream, weights.k_b);
  }
}

int64_t adapt_mla_bytes(const Stream& stream, const MlaWeights& weights) {
  const Weight& k_b = weights.k_b;
  if (takes_expansion(stream, weights)) {
    return allocation_bytes(static_cast<int64_t>(half_bytes(k_b) + half_bytes(weights.v_b)));
  }
  if (!takes_transposed(weights)) return 0;
  return allocation_bytes(PackedMatrix(nullptr, DType::kF16, k_b.count * k_b.n_in, k_b.n_out).bytes());
}

}  // namespace glint::cuda
