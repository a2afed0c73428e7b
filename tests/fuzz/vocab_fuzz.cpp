// SPDX-License-Identifier: Apache-2.0
//
// Vocabularies made of any bytes: an Error or a tokenizer that works, never a crash. The first six bytes pick the model,
// the family and the special ids; then a line a token, its type in front; an empty line; a line a merge.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/check.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace {

using namespace glint;

std::optional<int32_t> id_of(uint8_t byte) { return byte < 128 ? std::nullopt : std::optional<int32_t>(byte - 130); }

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 6) return 0;
  const char* const models[] = {"gpt2", "llama", "gemma4"};
  const std::vector<std::string_view> families = PreTokenizer::names();
  VocabData data;
  data.model = models[bytes[0] % 3];
  data.pre = families[bytes[1] % families.size()];
  data.architecture = bytes[0] & 0x40 ? "phi3" : "";
  data.special = {.bos = id_of(bytes[2]), .eos = id_of(bytes[3]), .eot = id_of(bytes[4]), .unk = id_of(bytes[5])};
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 6, size - 6);
  bool merges = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.size(), text.find('\n', begin));
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (merges) {
      data.merges.push_back(line);
    } else if (line.empty()) {
      merges = true;
    } else {
      data.tokens.push_back(line.substr(1));
      data.types.push_back(line[0] - '0');
      data.scores.push_back(static_cast<float>(line.size() % 3));
    }
  }
  try {
    const Tokenizer tokenizer(data);
    const std::vector<int32_t> ids = tokenizer.encode(text, {.add_special = true, .parse_special = true});
    for (const int32_t id : ids) require(id >= 0 && id < tokenizer.vocab().size());
    require(utf8::is_valid(tokenizer.decode(ids)));
    // The vocabulary may have found an unknown token that the file does not name.
    const std::optional<int32_t> unknown = tokenizer.vocab().special().unk;
    for (const int32_t id : tokenizer.encode(text)) require(!tokenizer.vocab().is_special(id) || id == unknown);
    for (const int32_t id : tokenizer.vocab().end_of_generation()) require(id >= 0 && id < tokenizer.vocab().size());
  } catch (const Error&) {
  }
  return 0;
}
