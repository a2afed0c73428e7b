// SPDX-License-Identifier: Apache-2.0
//
// Every scanner against the regular expression that it stands for, run by PCRE2, on thousands of random texts.
#include "text/scanners.h"

#include <gtest/gtest.h>

#include "tests/unit/text/random_text.h"
#include "text/regex_splitter.h"
#include "text/unicode.h"

namespace glint {
namespace {

// PCRE2's \s lacks U+0085, so the property White_Space is spelled out, inside brackets and outside.
std::string with_white_space(std::string_view pattern) {
  static constexpr std::string_view kMembers = R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view two = pattern.substr(i, 2);
    if (two == "\\s" || two == "\\S") {
      out += in_class ? std::string(kMembers) : (two == "\\s" ? "[" : "[^") + std::string(kMembers) + "]";
      ++i;
    } else if (two.size() == 2 && two[0] == '\\') {
      out += two;
      ++i;
    } else {
      if (pattern[i] == '[') in_class = true;
      if (pattern[i] == ']') in_class = false;
      out.push_back(pattern[i]);
    }
  }
  return out;
}

struct Case {
  const char* name;
  Scanner scanner;
  std::string pattern;
};

const std::string kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const std::string kBlanks = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string kUpperWord = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
const std::string kLowerWord = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";

std::string cl100k(const std::string& word, const std::string& number, const std::string& not_symbol) {
  return kContractions + R"(|[^\r\n\p{L}\p{N}]?)" + word + "+|" + number + R"(| ?[^\s)" + not_symbol + R"(\p{N}]+[\r\n]*|)" + kBlanks;
}

std::string cased(const std::string& suffix, const std::string& number) {
  return kUpperWord + "*" + kLowerWord + "+" + suffix + "|" + kUpperWord + "+" + kLowerWord + "*" + suffix + "|" + number +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" + kBlanks;
}

const std::string kCasedLetters =
    R"(A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373})"
    R"(\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481})"
    R"(\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF})"
    R"(\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
    R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4})"
    R"(\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"
    R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139})"
    R"(\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2})"
    R"(\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF})"
    R"(\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3})"
    R"(\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})";

std::vector<Case> cases() {
  return {
      {"gpt2", scan::gpt2, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
      {"llama3", scan::llama3, cl100k(R"(\p{L})", R"(\p{N}{1,3})", R"(\p{L})")},
      {"qwen2", scan::qwen2, cl100k(R"(\p{L})", R"(\p{N})", R"(\p{L})")},
      {"qwen35", scan::qwen35, cl100k(R"([\p{L}\p{M}])", R"(\p{N})", R"(\p{L}\p{M})")},
      {"o200k", scan::o200k, cased(kContractions + "?", R"(\p{N}{1,3})")},
      {"tekken", scan::tekken, cased("", R"(\p{N})")},
      {"deepseek_v3", scan::deepseek_v3,
       R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)" + kBlanks},
      {"deepseek_v3_cjk", scan::deepseek_v3_cjk, R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)"},
      {"deepseek_llm_word", scan::deepseek_llm_word, R"(\s?[)" + kCasedLetters + "]+"},
      {"deepseek_llm_punctuation", scan::deepseek_llm_punctuation,
       R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)"},
      {"trailing_space", scan::trailing_space, R"(\s+\z)"},
      {"deepseek_llm_cjk", scan::deepseek_llm_cjk, R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)"},
      {"deepseek_coder_word", scan::deepseek_coder_word, R"(\s?\p{L}+)"},
      {"deepseek_coder_punctuation", scan::deepseek_coder_punctuation, R"(\s?\p{P}+)"},
      {"newline", scan::newline, R"([\r\n])"},
      {"digit", scan::digit, R"(\p{N})"},
      {"digits", scan::digits, R"(\p{N}+)"},
      {"up_to_three_digits", scan::up_to_three_digits, R"(\p{N}{1,3})"},
      {"three_ascii_digits", scan::three_ascii_digits, R"([0-9][0-9][0-9])"},
      {"punctuation", scan::punctuation, R"([\p{P}\$\+<=>\^~\|]+)"},
      {"punctuation_and_backtick", scan::punctuation_and_backtick, R"([\p{P}\$\+<=>\^~\|`]+)"},
      {"lines", scan::lines, R"([^\n]+|[\n]+)"},
  };
}

std::vector<std::string_view> scanned(Scanner scanner, std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t length = scanner(text);
    if (length == 0 || length > text.size()) return {};  // would not end; compares unequal
    pieces.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return pieces;
}

// The two Unicode tables are of versions 14 and 15; these characters of the ranges used came between.
bool is_of_both_versions(std::string_view text) {
  return text.find("\u0CF3") == std::string_view::npos && text.find("\u0ECE") == std::string_view::npos;
}

class ScannerTest : public testing::TestWithParam<Case> {};

TEST_P(ScannerTest, SplitsAsItsRegularExpression) {
  const RegexSplitter reference(with_white_space(GetParam().pattern));
  RandomText random(42);
  for (int round = 0; round < 6000; ++round) {
    const std::string text = random.text();
    if (!is_of_both_versions(text)) continue;
    std::vector<std::string_view> expected;
    reference.split(text, expected);
    ASSERT_EQ(scanned(GetParam().scanner, text), expected) << testing::PrintToString(text);
  }
}

TEST_P(ScannerTest, TakesRunsOfOneClassWhole) {
  const RegexSplitter reference(with_white_space(GetParam().pattern));
  for (const std::string_view unit : {"Z", "a", "Zz", ".", " ", "\n", " \n", "1", "中", "\u0301", "us", "😀", "'s", "\u3000", "A\u0301"}) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += unit;
    for (const std::string_view end : {"", "x", "\n", "1"}) {
      const std::string whole = text + std::string(end);
      std::vector<std::string_view> expected;
      reference.split(whole, expected);
      ASSERT_EQ(scanned(GetParam().scanner, whole), expected) << "a run of " << unit << " before '" << end << "'";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Text, ScannerTest, testing::ValuesIn(cases()), [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace glint
