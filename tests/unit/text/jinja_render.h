// SPDX-License-Identifier: Apache-2.0
//
// Rendering in one line, for the tests of the template engine.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "text/jinja/template.h"

namespace glint::jinja {

inline std::string render(std::string_view source,
                          const nlohmann::ordered_json& variables = nlohmann::ordered_json::object(),
                          const RenderOptions& options = {}) {
  return join(Template(source).render(variables, options));
}

/// The message of the Error that parsing or rendering ends in; "" if there is none.
inline std::string error_of(std::string_view source,
                            const nlohmann::ordered_json& variables = nlohmann::ordered_json::object(),
                            const RenderOptions& options = {}) {
  try {
    render(source, variables, options);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// The prompt with untrusted stretches in brackets: "<|user|>[Hi]".
inline std::string marked(std::string_view source, const nlohmann::ordered_json& variables,
                          const RenderOptions& options = {}) {
  std::string text;
  for (const Piece& piece : Template(source).render(variables, options)) {
    text += piece.from_template ? piece.text : "[" + piece.text + "]";
  }
  return text;
}

}  // namespace glint::jinja
