// SPDX-License-Identifier: Apache-2.0
//
// Grouped-query attention over the paged cache on tensor cores (FlashAttention-2, Dao 2023, arXiv 2307.08691), with
// windows, soft-caps and sinks. Query heads of one key/value head lie beside each other in a tile of rows, so keys and
// values are read once for all of them. A page of 64 positions is the unit: each row makes a softmax of its own over
// each, and its result is the left fold of its pages' in ascending order. A prompt's block folds as it goes from page
// to page; for few rows pages are shared out over warps, and a second kernel folds what they leave. Both give the same
// bits: a row's depend neither on other rows nor on how a prompt is cut. Launch shapes of up to eight rows depend on
// their number alone, so a step can be replayed.
//
// FLOPs: 4 d_head a query head and pair of row and position. Bytes: keys and values once for each tile of a sequence's
// rows, which holds 128 queries of a prompt (64 where d_head is 256), 16 of few rows; of few rows also n_heads *
// (d_head + 2) floats a page and row, written and read. Tested by tests/unit/cuda/flash_attend_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// Is there a kernel for this? Heads of 64, 96, 128 or 256; F16, BF16 or Q8_0 caches; a positive scale.
bool flash_attend_supports(const Stream& stream, Tensor q, const KvLayer& layer, const AttendParams& params);
/// As Backend::attend.
void flash_attend(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer,
                  const Batch& batch, const AttendParams& params);
/// Floats of workspace for caches of `n_pages` pages.
int64_t flash_attend_floats(int n_pages, int n_heads, int d_head);

}  // namespace glint::cuda
