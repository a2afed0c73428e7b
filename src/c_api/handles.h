// SPDX-License-Identifier: Apache-2.0
//
// What the opaque handles of the C API are. Tested by tests/c_api.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch_engine.h"
#include "engine/constraint.h"
#include "glint/glint.h"
#include "text/chat.h"
#include "text/reply_format.h"

struct glint_engine {
  /// Throws Error for a file that is no model, options that make no sense, or memory that does not suffice.
  explicit glint_engine(const glint_engine_options& options);

  void warn(const std::string& text) const;
  const glint::ChatTemplate& chat() const;            // throws Error when the file has none
  glint::ConstraintCompiler& constraints() const;  // throws Error when the file has no vocabulary
  const glint::Engine& facts() const { return batch->engine(); }

  void* user_data = nullptr;
  void (*on_warning)(void* user_data, const char* text) = nullptr;
  std::optional<glint::ChatTemplate> chat_template;
  glint::ReplyFormat format;
  std::unique_ptr<glint::BatchEngine> batch;
  std::unique_ptr<glint::ConstraintCompiler> compiler;
  std::string device;
  glint_engine_info info = {};
};

struct glint_stream {
  std::unique_ptr<glint::Stream> stream;
  // The event that was given last, and what it points at:
  glint::Event event;
  std::vector<glint_token_logprob> top;
  glint_finish finish = {};
  glint_event view = {};
};
