// SPDX-License-Identifier: Apache-2.0
#include "server/token_fields.h"

#include <algorithm>

#include "server/api_error.h"
#include "server/fields.h"

namespace glint::server {
namespace {

constexpr size_t kMostPrompts = 128;

std::vector<int32_t> encode(const std::string& text, const Service& service, bool is_first) {
  return service.tokenizer().encode(text, {.add_special = is_first, .parse_special = true, .single_bos = true});
}

}  // namespace

std::vector<int32_t> read_ids(const Json& array, const Service& service, std::string_view name) {
  const int n_vocab = service.engine().model().spec.n_vocab;
  std::vector<int32_t> ids;
  for (const Json& item : array) {
    const std::optional<int64_t> id = as_integer(item);
    if (!id || *id < 0 || *id >= n_vocab) {
      throw ApiError::invalid(fmt::format("{}[{}]: expected a token id from 0 to {}", name, ids.size(), n_vocab - 1));
    }
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ids;
}

std::vector<int32_t> read_prompt(const Json& prompt, const Service& service, std::string_view name) {
  if (prompt.is_string()) return encode(prompt.get_ref<const std::string&>(), service, true);
  if (!prompt.is_array()) throw ApiError::invalid(fmt::format("{}: expected a string or an array of token ids", name));
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (std::none_of(prompt.begin(), prompt.end(), is_text)) return read_ids(prompt, service, name);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < prompt.size(); ++i) {
    const std::vector<int32_t> more = is_text(prompt[i]) ? encode(prompt[i].get_ref<const std::string&>(), service, i == 0)
                                                         : read_ids(Json::array({prompt[i]}), service, name);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

std::vector<std::vector<int32_t>> read_prompts(const Json& prompts, const Service& service, std::string_view name) {
  const auto is_whole = [](const Json& item) { return item.is_string() || item.is_array(); };
  const bool is_list = prompts.is_array() && !prompts.empty() && std::all_of(prompts.begin(), prompts.end(), is_whole);
  if (!is_list) return {read_prompt(prompts, service, name)};
  if (prompts.size() > kMostPrompts) {
    throw ApiError::invalid(fmt::format("{}: {} prompts, and {} is the most", name, prompts.size(), kMostPrompts));
  }
  std::vector<std::vector<int32_t>> all;
  for (const Json& prompt : prompts) all.push_back(read_prompt(prompt, service, name));
  return all;
}

}  // namespace glint::server
