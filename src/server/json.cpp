// SPDX-License-Identifier: Apache-2.0
#include "server/json.h"

#include <algorithm>
#include <vector>

#include "server/api_error.h"

namespace glint::server {
namespace {

/// Builds the value from the parser's events. Members are appended unseen, since nlohmann's ordered map looks through all
/// earlier ones for each; repeated names are found by sorting when the object ends.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(Json& root, const JsonLimits& limits) : root_(root), limits_(limits) {}

  const std::string& error() const { return error_; }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary values are not JSON"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    open_.back()->get_ref<Json::object_t&>().emplace_back(name, Json());
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool end_object() override {
    std::vector<const std::string*> names;
    for (const auto& member : open_.back()->get_ref<const Json::object_t&>()) names.push_back(&member.first);
    const auto less = [](const std::string* a, const std::string* b) { return *a < *b; };
    std::sort(names.begin(), names.end(), less);
    const auto equal = [](const std::string* a, const std::string* b) { return *a == *b; };
    if (std::adjacent_find(names.begin(), names.end(), equal) != names.end()) return refuse("an object has a name twice");
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse(fmt::format("not JSON in UTF-8, at byte {}", position));
  }

 private:
  bool refuse(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return false;
  }

  bool add(Json value) {
    if (++n_values_ > limits_.values) return refuse(fmt::format("more than {} values", limits_.values));
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (++n_values_ > limits_.values) return refuse(fmt::format("more than {} values", limits_.values));
    if (open_.size() >= limits_.nesting) return refuse(fmt::format("nested deeper than {} levels", limits_.nesting));
    open_.push_back(&place(std::move(value)));
    return true;
  }

  /// A container that is open grows no more until what lies in it is closed, so pointers into it stay good.
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_array()) {
      auto& items = open_.back()->get_ref<Json::array_t&>();
      items.push_back(std::move(value));
      return items.back();
    }
    return open_.back()->get_ref<Json::object_t&>().back().second = std::move(value);
  }

  Json& root_;
  const JsonLimits& limits_;
  std::vector<Json*> open_;
  size_t n_values_ = 0;
  std::string error_;
};

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits) {
  Json value;
  Builder builder(value, limits);
  if (!Json::sax_parse(text, &builder)) throw ApiError::invalid("the body is " + builder.error());
  return value;
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace glint::server
