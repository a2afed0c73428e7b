// SPDX-License-Identifier: Apache-2.0
//
// DESCRIPTION
// A chat template: parsed once, rendered any number of times, from any number of threads at once. It behaves as under
// Python's Jinja2 in the environment that transformers makes (ImmutableSandboxedEnvironment, trim_blocks,
// lstrip_blocks, loop controls, {% generation %}), byte for byte. It can read its input and nothing else, and both
// parsing and rendering are bounded (limits.h), so a hostile template costs at most an Error.
//
//   const jinja::Template chat(source);
//   std::string prompt = jinja::join(chat.render({.variables = {{"messages", messages}}}));
//
// Tested by tests/unit/text/jinja_*_test.cpp, tests/integration/jinja_differential_test.py, tests/fuzz/jinja_fuzz.cpp.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/json.h"
#include "text/jinja/limits.h"

namespace glint::jinja {

struct TemplateTree;

/// A stretch of a prompt. What came from the input, through whatever filters, is not `from_template`.
struct Piece {
  std::string text;
  bool from_template;
};

/// The whole text.
std::string join(const std::vector<Piece>& pieces);

struct RenderOptions {
  RenderLimits limits = {};
  std::tm now = {};        // what strftime_now() tells
  TrustRule trusted = {};  // strings of the input that count as the template's own; absent: none
};

class Template {
 public:
  /// Throws Error with line and construct for text that is no template or needs what templates may not have.
  explicit Template(std::string_view source);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  const std::string& source() const { return source_; }

  /// Renders with the members of the object `variables` as variables. Adjacent pieces differ in origin. Throws Error
  /// with the line for whatever goes wrong, raise_exception() included.
  std::vector<Piece> render(const nlohmann::ordered_json& variables, const RenderOptions& options = {}) const;

 private:
  std::string source_;
  std::unique_ptr<const TemplateTree> tree_;
};

}  // namespace glint::jinja
