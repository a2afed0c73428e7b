// SPDX-License-Identifier: Apache-2.0
//
// Typed, bounded reading of a request's members. A member that is absent or null is not there; one of another type or out
// of range is an ApiError (400) that names it. What nobody asked for is known at the end, and told to the client.
// Tested by tests/unit/server/json_test.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/json.h"

namespace glint::server {

class Fields {
 public:
  /// Borrows `object`. `where` stands before names in messages, as in "options.". Throws when it is no object.
  explicit Fields(const Json& object, std::string where = "");

  const Json* find(std::string_view name) const;
  /// Also numbers like 5.0; not 5.5, not "5".
  std::optional<int64_t> integer(std::string_view name, int64_t low, int64_t high) const;
  std::optional<int> count(std::string_view name, int low, int high = std::numeric_limits<int>::max()) const;
  /// Finite as a float.
  std::optional<float> number(std::string_view name) const;
  std::optional<bool> boolean(std::string_view name) const;
  const std::string* string(std::string_view name) const;
  /// Throws when it is absent.
  const std::string& required_string(std::string_view name) const;
  const Json* object(std::string_view name) const;
  const Json* array(std::string_view name) const;
  /// A string or an array of strings.
  std::vector<std::string> strings(std::string_view name) const;

  /// Members that are there and that nobody has asked for, with what stands before their names; the first few of many.
  std::vector<std::string> unread() const;

  /// "temperature: expected a number, found a string".
  [[noreturn]] void refuse(std::string_view name, std::string_view expected) const;

 private:
  const Json& object_;
  std::string where_;
  mutable std::set<std::string, std::less<>> read_;  // names that were asked for
};

/// "a string", "null", ...
std::string_view kind_of(const Json& value);
/// Whole numbers, also those written like 5.0.
std::optional<int64_t> as_integer(const Json& value);

}  // namespace glint::server
