// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_strings.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "grammar/regex.h"

namespace glint::grammar {
namespace {

using Named = std::pair<std::string_view, std::string_view>;

// Parts of formats, written <name> where they are used; a part may use those above it.
constexpr std::array<Named, 11> kParts = {{
    // Months of 31, 30 and 28 days, and the 29th of February in leap years.
    {"full-date",
     "(\\d{4}-(((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01]))|((0[469]|11)-(0[1-9]|[12]\\d|30))|(02-(0[1-9]|1\\d|2[0-8])))|"
     "((\\d\\d(0[48]|[2468][048]|[13579][26]))|(([02468][048]|[13579][26])00))-02-29)"},
    {"full-time", "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?([Zz]|[+-]([01]\\d|2[0-3]):[0-5]\\d)"},
    {"label", "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"},
    {"host", "<label>(\\.<label>){0,20}"},
    {"ipv4", "((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"},
    {"h16", "[0-9A-Fa-f]{1,4}"},
    {"ls32", "(<h16>:<h16>|<ipv4>)"},
    {"ipv6",
     "((<h16>:){6}<ls32>|::(<h16>:){5}<ls32>|(<h16>)?::(<h16>:){4}<ls32>|((<h16>:){0,1}<h16>)?::(<h16>:){3}<ls32>|"
     "((<h16>:){0,2}<h16>)?::(<h16>:){2}<ls32>|((<h16>:){0,3}<h16>)?::<h16>:<ls32>|((<h16>:){0,4}<h16>)?::<ls32>|"
     "((<h16>:){0,5}<h16>)?::<h16>|((<h16>:){0,6}<h16>)?::)"},
    // RFC 3986; the path, query and fragment share one set of characters.
    {"pchar", "([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})"},
    {"authority",
     "(([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(\\[<ipv6>\\]|([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)"
     "(:\\d*)?"},
    {"absolute",
     "[A-Za-z][A-Za-z0-9+.-]*:(//<authority>([/?]<pchar>*)?|(/"
     "?([A-Za-z0-9._~!$&'()*+,;=:@?-]|%[0-9A-Fa-f]{2})<pchar>*)?)"},
}};

constexpr std::array<Named, 14> kFormats = {{
    {"date", "<full-date>"},
    {"time", "<full-time>"},
    {"date-time", "(<full-date>)[Tt]<full-time>"},
    {"duration",
     "P(\\d+W|(\\d+D|\\d+M(\\d+D)?|\\d+Y(\\d+M(\\d+D)?)?)(T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S))?|"
     "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S))"},
    {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
    {"email", "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@<host>"},
    {"hostname", "<host>"},
    {"ipv4", "<ipv4>"},
    {"ipv6", "<ipv6>"},
    {"uri", "<absolute>(#<pchar>*)?"},
    {"uri-reference",
     "(<absolute>|//<authority>([/?]<pchar>*)?|([A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})*([/"
     "?]<pchar>*)?)(#<pchar>*)?"},
    {"json-pointer", "(/([^/~]|~[01])*)*"},
    {"relative-json-pointer", "(0|[1-9]\\d*)(#|(/([^/~]|~[01])*)*)"},
    {"byte", "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"},
}};

constexpr std::array<std::string_view, 6> kAnnotations = {"float", "double", "password", "binary", "int32", "int64"};

}  // namespace

bool is_known_format(std::string_view name) {
  return std::any_of(kFormats.begin(), kFormats.end(), [&](const Named& format) { return format.first == name; });
}

std::string regex_of_format(std::string_view name) {
  std::string regex;
  for (const auto& [format, text] : kFormats) {
    if (format == name) regex = text;
  }
  for (auto part = kParts.rbegin(); part != kParts.rend(); ++part) {
    const std::string mark = "<" + std::string(part->first) + ">";
    for (size_t at = regex.find(mark); at != std::string::npos; at = regex.find(mark, at)) {
      regex.replace(at, mark.size(), part->second);
    }
  }
  return regex;
}

bool is_annotation_format(std::string_view name) {
  return std::find(kAnnotations.begin(), kAnnotations.end(), name) != kAnnotations.end();
}

void SchemaStrings::spend(const CharDfa& dfa, const Json* origin) {
  spent_ += dfa.states.size();
  if (spent_ > options_.max_automaton_states) {
    document_.refuse(origin, fmt::format("the schema's patterns, formats and bounds need more than {} states",
                                         options_.max_automaton_states));
  }
}

const CharDfa* SchemaStrings::pattern(std::string_view text, const Json* origin) {
  const auto [place, added] = patterns_.try_emplace(std::string(text));
  if (added) {
    try {
      place->second = regex_search(text, kLimit);
      spend(*place->second, origin);
    } catch (const Error& error) {
      document_.unsupported(origin, error.what(), warnings_);
    }
  }
  return place->second ? &*place->second : nullptr;
}

CharDfa SchemaStrings::automaton(const StringFacets& facets, const Json* origin) {
  try {
    CharDfa dfa = any_string();
    for (const std::string& name : facets.formats) {
      auto known = formats_.find(name);
      if (known == formats_.end())
        known = formats_.emplace(name, regex_full_match(regex_of_format(name), kLimit)).first;
      dfa = intersection(dfa, known->second, kLimit);
    }
    for (const Json* node : facets.patterns) {
      if (const CharDfa* matching = pattern(node->get_ref<const std::string&>(), node))
        dfa = intersection(dfa, *matching, kLimit);
    }
    if (!facets.excluded.empty()) dfa = intersection(dfa, complement(one_of(facets.excluded)), kLimit);
    if (dfa.empty()) return dfa;
    const LengthBounds lengths = length_bounds(dfa);
    if (lengths.shortest < facets.min_length || lengths.longest > facets.max_length) {
      const uint64_t most = lengths.longest <= facets.max_length ? kNoMaximum : facets.max_length;
      dfa = intersection(dfa, strings_of_length(facets.min_length, most, kLimit), kLimit);
    }
    spend(dfa, origin);
    return dfa;
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with("schema ")) throw;
    document_.refuse(origin, error.what());
  }
}

bool SchemaStrings::admits(const StringFacets& facets, const std::string& text, const Json* origin) {
  uint64_t length = 0;
  for (size_t i = 0; i < text.size(); ++length) i += static_cast<size_t>(utf8::decode(text, i).size);
  if (length < facets.min_length || length > facets.max_length) return false;
  StringFacets rest = facets;
  rest.min_length = 0;
  rest.max_length = kNoMaximum;
  if (rest.only_lengths()) return true;
  return automaton(rest, origin).accepts(text);
}

}  // namespace glint::grammar
