// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/template.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"
#include "text/jinja/scope.h"

namespace glint::jinja {
namespace {

std::unique_ptr<const TemplateTree> parse_and_resolve(std::string_view source) {
  try {
    auto tree = std::make_unique<TemplateTree>(parse(source));
    resolve_names(*tree);
    return tree;
  } catch (const Error& error) {
    fail("chat template: {}", error.what());
  }
}

}  // namespace

std::string join(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) text += piece.text;
  return text;
}

Template::Template(std::string_view source) : source_(source), tree_(parse_and_resolve(source)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

std::vector<Piece> Template::render(const nlohmann::ordered_json& variables, const RenderOptions& options) const {
  const Value input = value_of_json(nullptr, variables, options.trusted);
  if (input.dict() == nullptr) fail("chat template: the variables must be a JSON object");
  Runtime runtime(options.limits, options.now);
  Interpreter interpreter(runtime, input);
  Text prompt;
  try {
    prompt = interpreter.run(*tree_);
  } catch (const Error& error) {
    fail("chat template: line {}: {}", interpreter.line(), error.what());
  }
  std::vector<Piece> pieces;
  prompt.for_each_run(0, prompt.size(), [&](std::string_view run, bool trusted) {
    pieces.push_back({std::string(run), trusted});
  });
  return pieces;
}

}  // namespace glint::jinja
