// SPDX-License-Identifier: Apache-2.0
//
// A JSON schema as a document: where each part lies (for messages) and what references mean ($ref, $id, $anchor).
// Called by the other schema_*.cpp; knows nothing of what keywords demand.
// Tested by tests/unit/grammar/json_schema_test.cpp.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/printable.h"
#include "grammar/json_schema.h"

namespace glint::grammar {

using Json = nlohmann::ordered_json;

class SchemaDocument {
 public:
  /// `root` must outlive the document. Throws Error for one too large or too deep, and for an $id or $anchor used
  /// twice.
  SchemaDocument(const Json& root, const JsonSchemaOptions& options);

  const Json& root() const { return root_; }
  /// Of a part of the document: "#/properties/a".
  std::string pointer(const Json* part) const;

  /// What "$ref": `reference` within the schema `at` stands for. Throws Error for what is not in the document.
  const Json* resolve(const Json* at, std::string_view reference) const;

  /// Keeps `made` and lets it answer for `origin` in messages and references. Parts of `made` are not indexed.
  const Json* adopt(Json made, const Json* origin);

  [[noreturn]] void refuse(const Json* part, std::string_view problem) const;
  /// Something that cannot be enforced: an Error, or a warning if the options say so.
  void unsupported(const Json* part, std::string_view problem, std::vector<std::string>& warnings) const;

 private:
  struct Place {
    const Json* parent = nullptr;
    std::string step;                // from the parent
    const Json* resource = nullptr;  // the nearest schema around with an $id, or the root
  };

  void index();
  void index_schema(const Json* schema, Place& place);
  const Json* walk(const Json* from, std::string_view json_pointer) const;
  const Place* place_of(const Json* part) const;

  const Json& root_;
  const JsonSchemaOptions& options_;
  bool strict_;  // unless the root says "x-strict": false
  std::unordered_map<const Json*, Place> places_;
  std::unordered_map<const Json*, std::string> base_;  // of resources: absolute or relative URI without fragment
  std::map<std::string, const Json*> by_uri_;          // "uri" or "uri#anchor"
  std::deque<Json> adopted_;
  mutable std::unordered_map<const Json*, const Json*> resolved_;  // references, by the schema that holds them
};

/// RFC 3986 5.2: `reference` seen from `base`, without fragment; both without checks.
std::string resolve_uri(std::string_view base, std::string_view reference);

}  // namespace glint::grammar
