// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_document.h"

#include <algorithm>
#include <array>

namespace glint::grammar {
namespace {

constexpr std::array<std::string_view, 5> kSchemaMaps = {"properties", "patternProperties", "$defs", "definitions",
                                                         "dependentSchemas"};
constexpr std::array<std::string_view, 4> kPlainValues = {"const", "enum", "default", "examples"};

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string escaped_step(std::string_view key) {
  std::string step;
  for (const char c : key) c == '~' ? step += "~0" : c == '/' ? step += "~1" : step += c;
  return step;
}

/// Percent-decoding of a fragment; what is not %HH stays.
std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Uri {
  std::string_view scheme, authority, path, query;  // authority with its slashes, query with its question mark
};

Uri split_uri(std::string_view text) {
  Uri uri;
  const size_t colon = text.find_first_of(":/?");
  if (colon != std::string_view::npos && colon > 0 && text[colon] == ':') {
    uri.scheme = text.substr(0, colon + 1);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    const size_t end = std::min(text.size(), text.find_first_of("/?", 2));
    uri.authority = text.substr(0, end);
    text.remove_prefix(end);
  }
  const size_t query = std::min(text.size(), text.find('?'));
  uri.path = text.substr(0, query);
  uri.query = text.substr(query);
  return uri;
}

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool rooted = path.starts_with("/");
  bool folder = false;
  for (size_t begin = rooted; begin <= path.size();) {
    const size_t end = std::min(path.size(), path.find('/', begin));
    const std::string_view step = path.substr(begin, end - begin);
    folder = step.empty() || step == "." || step == "..";
    if (step == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (step != "." && !(step.empty() && end == path.size())) {
      kept.push_back(step);
    }
    begin = end + 1;
  }
  std::string out = rooted ? "/" : "";
  for (size_t i = 0; i < kept.size(); ++i) {
    out += kept[i];
    if (i + 1 < kept.size() || folder) out += '/';
  }
  return out;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  const Uri from = split_uri(base), to = split_uri(reference);
  const auto join = [](auto... parts) { return (std::string() + ... + std::string(parts)); };
  if (!to.scheme.empty()) return join(to.scheme, to.authority, without_dots(to.path), to.query);
  if (!to.authority.empty()) return join(from.scheme, to.authority, without_dots(to.path), to.query);
  if (to.path.empty()) return join(from.scheme, from.authority, from.path, to.query.empty() ? from.query : to.query);
  if (to.path.starts_with("/")) return join(from.scheme, from.authority, without_dots(to.path), to.query);
  const size_t slash = from.path.rfind('/');
  std::string merged = slash == std::string_view::npos ? (from.authority.empty() ? "" : "/")
                                                       : std::string(from.path.substr(0, slash + 1));
  merged += to.path;
  return join(from.scheme, from.authority, without_dots(merged), to.query);
}

SchemaDocument::SchemaDocument(const Json& root, const JsonSchemaOptions& options)
    : root_(root), options_(options), strict_(options.strict) {
  base_[&root_] = "";
  index();
  const auto strict = root.is_object() ? root.find("x-strict") : root.end();
  if (strict == root.end()) return;
  if (!strict->is_boolean()) refuse(&*strict, "expected true or false");
  strict_ = strict_ && strict->get<bool>();
}

void SchemaDocument::index() {
  struct Task {
    const Json* part;
    Place place;
    size_t nesting;
    bool is_schema, is_map;
  };
  std::vector<Task> tasks = {{&root_, {nullptr, "#", &root_}, 1, true, false}};
  size_t n_nodes = 0;
  while (!tasks.empty()) {
    Task task = std::move(tasks.back());
    tasks.pop_back();
    if (++n_nodes > options_.max_nodes) fail("schema: more than {} values; make it smaller", options_.max_nodes);
    if (task.nesting > options_.max_nesting) fail("schema: nested more than {} deep", options_.max_nesting);
    const Json* part = task.part;
    if (task.is_schema && part->is_object()) index_schema(part, task.place);
    const auto add = [&](const Json& child, std::string step, bool is_schema, bool is_map) {
      tasks.push_back({&child, {part, std::move(step), task.place.resource}, task.nesting + 1, is_schema, is_map});
    };
    if (part->is_object()) {
      for (const auto& [key, child] : part->items()) {
        const bool plain = !task.is_map && (!task.is_schema || is_one_of(key, kPlainValues));
        add(child, escaped_step(key), !plain, !plain && !task.is_map && is_one_of(key, kSchemaMaps));
        if (tasks.back().is_map) tasks.back().is_schema = false;
      }
    } else if (part->is_array()) {
      for (size_t i = 0; i < part->size(); ++i) add((*part)[i], std::to_string(i), task.is_schema, false);
    }
    places_.emplace(part, std::move(task.place));
  }
}

void SchemaDocument::index_schema(const Json* schema, Place& place) {
  const auto text_of = [&](const char* key) -> const std::string* {
    const auto found = schema->find(key);
    return found == schema->end() || !found->is_string() ? nullptr : &found->get_ref<const std::string&>();
  };
  const auto add = [&](std::string uri) {
    if (by_uri_.try_emplace(uri, schema).second) return;
    fail("schema {}/{}: \"{}\" names two schemas", place.parent ? pointer(place.parent) : "", place.step,
         printable(uri));
  };
  if (const std::string* id = text_of("$id")) {
    const std::string base = resolve_uri(base_[place.resource], std::string_view(*id).substr(0, id->find('#')));
    place.resource = schema;
    base_[schema] = base;
    if (!base.empty()) add(base);
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"}) {
    if (const std::string* anchor = text_of(keyword)) add(base_[place.resource] + "#" + *anchor);
  }
}

const SchemaDocument::Place* SchemaDocument::place_of(const Json* part) const {
  const auto place = places_.find(part);
  return place == places_.end() ? nullptr : &place->second;
}

std::string SchemaDocument::pointer(const Json* part) const {
  std::vector<const std::string*> steps;
  for (const Place* place = place_of(part); place != nullptr;
       place = place->parent ? place_of(place->parent) : nullptr) {
    steps.push_back(&place->step);
  }
  std::string text;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) text += (text.empty() ? "" : "/") + **step;
  return text.empty() ? "#" : text;
}

const Json* SchemaDocument::walk(const Json* from, std::string_view json_pointer) const {
  const Json* at = from;
  for (size_t begin = 1; begin <= json_pointer.size();) {
    const size_t end = std::min(json_pointer.size(), json_pointer.find('/', begin));
    std::string step;
    for (size_t i = begin; i < end; ++i) {
      const bool escape =
          json_pointer[i] == '~' && i + 1 < end && (json_pointer[i + 1] == '0' || json_pointer[i + 1] == '1');
      step += escape ? (json_pointer[++i] == '0' ? '~' : '/') : json_pointer[i];
    }
    if (at->is_object()) {
      const auto child = at->find(step);
      if (child == at->end()) return nullptr;
      at = &*child;
    } else if (at->is_array()) {
      const bool number = !step.empty() && step.size() < 8 && step.find_first_not_of("0123456789") == std::string::npos;
      if (!number || std::stoul(step) >= at->size()) return nullptr;
      at = &(*at)[std::stoul(step)];
    } else {
      return nullptr;
    }
    begin = end + 1;
  }
  return at;
}

const Json* SchemaDocument::resolve(const Json* at, std::string_view reference) const {
  if (const auto known = resolved_.find(at); known != resolved_.end()) return known->second;
  const Place* place = place_of(at);
  GLINT_CHECK(place != nullptr);
  const size_t hash = std::min(reference.size(), reference.find('#'));
  const std::string fragment = decoded(hash < reference.size() ? reference.substr(hash + 1) : "");
  const std::string uri = resolve_uri(base_.at(place->resource), reference.substr(0, hash));
  const Json* resource = nullptr;
  if (uri == base_.at(place->resource)) {
    resource = place->resource;
  } else if (const auto found = by_uri_.find(uri); found != by_uri_.end()) {
    resource = found->second;
  } else if (uri == base_.at(&root_)) {
    resource = &root_;
  }
  const Json* target = nullptr;
  if (resource != nullptr && (fragment.empty() || fragment[0] == '/')) {
    target = fragment.empty() ? resource : walk(resource, fragment);
  } else if (const auto found = by_uri_.find(uri + "#" + fragment); found != by_uri_.end()) {
    target = found->second;
  }
  if (target == nullptr) {
    refuse(at, fmt::format("\"$ref\": \"{}\" is not in this document (other documents are never fetched); copy it into "
                           "$defs and refer to it as \"#/$defs/NAME\"",
                           printable(reference)));
  }
  return resolved_[at] = target;
}

const Json* SchemaDocument::adopt(Json made, const Json* origin) {
  adopted_.push_back(std::move(made));
  const Place* place = place_of(origin);
  GLINT_CHECK(place != nullptr);
  places_.emplace(&adopted_.back(), Place(*place));
  return &adopted_.back();
}

void SchemaDocument::refuse(const Json* part, std::string_view problem) const {
  fail("schema {}: {}", printable(pointer(part), 300), problem);
}

void SchemaDocument::unsupported(const Json* part, std::string_view problem, std::vector<std::string>& warnings) const {
  if (strict_) refuse(part, problem);
  constexpr size_t kMaxWarnings = 100;
  std::string warning = fmt::format("schema {}: {}; ignored", printable(pointer(part), 300), problem);
  const bool known = std::find(warnings.begin(), warnings.end(), warning) != warnings.end();
  if (!known && warnings.size() < kMaxWarnings) warnings.push_back(std::move(warning));
}

}  // namespace glint::grammar
