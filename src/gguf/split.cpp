// SPDX-License-Identifier: Apache-2.0
#include "gguf/split.h"

#include <charconv>
#include <string_view>

#include "base/check.h"

namespace glint::gguf {

namespace {

constexpr size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr std::string_view kSuffix = ".gguf";
constexpr int kMaxParts = 99999;  // what five digits can name

std::optional<int> five_digits(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.size() != kDigits || error != std::errc{} || end != text.data() + text.size() || number < 1) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::string SplitName::path(int part_number) const {
  return fmt::format("{}-{:05}-of-{:05}{}", prefix, part_number, count, kSuffix);
}

std::optional<SplitName> parse_split_name(const std::string& path) {
  constexpr size_t kTail = 1 + kDigits + kOf.size() + kDigits + kSuffix.size();
  if (path.size() < kTail) return std::nullopt;
  const std::string_view tail = std::string_view(path).substr(path.size() - kTail);
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf || !tail.ends_with(kSuffix)) return std::nullopt;
  const auto number = five_digits(tail.substr(1, kDigits));
  const auto count = five_digits(tail.substr(1 + kDigits + kOf.size(), kDigits));
  if (!number || !count || *number > *count) return std::nullopt;
  return SplitName{path.substr(0, path.size() - kTail), *number, *count};
}

SplitKeys read_split_keys(const Metadata& metadata) {
  const int64_t count = metadata.integer_or("split.count", 1);
  if (count <= 1) return {};
  const int64_t index = metadata.integer("split.no");
  if (count > kMaxParts || index < 0 || index >= count) {
    fail("{}: split.no is {} and split.count is {}, expected a part number below the count", metadata.file_name(),
         index, count);
  }
  const int64_t n_tensors = metadata.integer_or("split.tensors.count", -1);
  return {static_cast<int>(index), static_cast<int>(count), n_tensors};
}

}  // namespace glint::gguf
