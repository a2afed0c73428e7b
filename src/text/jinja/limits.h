// SPDX-License-Identifier: Apache-2.0
//
// What one rendering may cost. A chat template comes with a model file, so it is as untrusted as the file: each bound
// ends the rendering with Error "template too expensive: ..." well within a second.
// Tested by tests/unit/text/jinja_limits_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glint::jinja {

struct RenderLimits {
  int64_t max_steps = 8'000'000;        // evaluated nodes, plus one for every 64 bytes of text moved
  size_t max_output_bytes = 32u << 20;  // of the finished prompt
  size_t max_live_bytes = 128u << 20;   // of all values alive at once, the input not counted
  int max_depth = 900;                  // nested evaluations; a macro call costs 5 to 15
};

/// Bounds of the text of a template, whatever the limits of a rendering.
inline constexpr size_t kMaxTemplateBytes = 4u << 20;
inline constexpr int kMaxExpressionDepth = 200;
inline constexpr int kMaxStatementDepth = 60;
/// Bound on lists in lists (values built by a template, JSON input): every walk over a value may recurse this deep.
inline constexpr int kMaxValueDepth = 200;

}  // namespace glint::jinja
