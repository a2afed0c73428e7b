// SPDX-License-Identifier: Apache-2.0
//
// The template subcommand alone, so that the differential test needs nothing but the text library:
//   jinja_driver template --template-file F --messages FILE [--tools FILE] [--kwargs JSON] [--no-generation-prompt]
// prints the prompt exactly; an error is one line on stderr and status 1.
// With --as-is the messages reach the template unchanged.
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "text/chat.h"
#include "text/chat_render.h"

namespace {

using Json = nlohmann::ordered_json;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) glint::fail("{}: cannot be read", path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Json parse_json(const std::string& text, const std::string& what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) glint::fail("{}: not JSON", what);
  return json;
}

void run(const std::vector<std::string>& arguments) {
  std::string source;
  Json messages, tools, variables;
  bool generation_prompt = true;
  bool as_is = false;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i];
    if (flag == "--no-generation-prompt") {
      generation_prompt = false;
    } else if (flag == "--as-is") {
      as_is = true;
    } else if (i + 1 >= arguments.size()) {
      glint::fail("{}: unknown, or needs a value", flag);
    } else {
      const std::string& value = arguments[++i];
      if (flag == "--template-file") {
        source = read_file(value);
      } else if (flag == "--messages") {
        messages = parse_json(read_file(value), value);
      } else if (flag == "--tools") {
        tools = parse_json(read_file(value), value);
      } else if (flag == "--kwargs") {
        variables = parse_json(value, "--kwargs");
      } else {
        glint::fail("{}: unknown", flag);
      }
    }
  }
  const glint::ChatInput input{.messages = &messages,
                               .tools = &tools,
                               .variables = &variables,
                               .add_generation_prompt = generation_prompt,
                               .now = {},
                               .limits = {}};
  const std::string prompt = as_is ? glint::render_as_is(glint::jinja::Template(source), {}, input).text
                                   : glint::ChatTemplate(source).render(input).text;
  std::fwrite(prompt.data(), 1, prompt.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
