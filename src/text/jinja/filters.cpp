// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/filters.h"

#include <algorithm>
#include <string>
#include <vector>

namespace glint::jinja {
namespace {

/// All filters, sorted by name.
const std::vector<Filter>& all_filters() {
  static const std::vector<Filter> all = [] {
    std::vector<Filter> filters;
    for (const auto part : {text_filters(), number_filters(), sequence_filters(), selection_filters()}) {
      filters.insert(filters.end(), part.begin(), part.end());
    }
    std::sort(filters.begin(), filters.end(), [](const Filter& a, const Filter& b) { return a.name < b.name; });
    return filters;
  }();
  return all;
}

}  // namespace

const Filter* find_filter(std::string_view name) {
  const std::vector<Filter>& filters = all_filters();
  const auto found =
      std::lower_bound(filters.begin(), filters.end(), name,
                       [](const Filter& filter, std::string_view wanted) { return filter.name < wanted; });
  return found != filters.end() && found->name == name ? &*found : nullptr;
}

}  // namespace glint::jinja
