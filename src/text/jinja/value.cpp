// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "text/jinja/object.h"

namespace glint::jinja {
namespace {

constexpr size_t kIndexedSize = 8;  // below, a scan beats a binary search
constexpr size_t kHeapOverhead = 64;

/// Groups of keys that can be equal to each other.
int key_rank(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt:
      return 0;
    case Kind::kFloat:
      return std::isnan(*value.floating()) ? 1 : 0;
    case Kind::kString:
      return 2;
    case Kind::kNone:
      return 3;
    case Kind::kTuple:
      return 4;
    case Kind::kUndefined:
      return 5;
    default:
      return 6;
  }
}

int sign(std::strong_ordering order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

int compare_text(std::string_view a, std::string_view b) {
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

int compare_tuples(const std::vector<Value>& a, const std::vector<Value>& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (const int order = compare_keys(a[i], b[i])) return order;
  }
  return sign(a.size() <=> b.size());
}

/// Exact: no rounding of the integer to a double.
int compare_int_float(int64_t a, double b) {
  if (std::isnan(b)) return 2;
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const double whole = std::trunc(b);
  const auto b_int = static_cast<int64_t>(whole);
  if (a != b_int) return a < b_int ? -1 : 1;
  return b > whole ? -1 : b < whole ? 1 : 0;
}

int64_t integer_of(const Value& value) {
  return value.boolean() != nullptr ? *value.boolean() : *value.integer();
}

}  // namespace

const Text* Value::text() const {
  const String* held = string();
  return held != nullptr ? &held->text : nullptr;
}

const std::vector<Value>* Value::items() const {
  if (const List* held = list()) return &held->items;
  if (const Tuple* held = tuple()) return &held->items;
  return nullptr;
}

bool Value::same_as(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::kBool:
      return *boolean() == *other.boolean();
    case Kind::kInt:
      return *integer() == *other.integer();
    case Kind::kFloat:
      return *floating() == *other.floating();
    case Kind::kString:
      return string() == other.string();
    case Kind::kList:
      return list() == other.list();
    case Kind::kTuple:
      return tuple() == other.tuple();
    case Kind::kDict:
      return dict() == other.dict();
    case Kind::kUndefined:
      return as_undefined() == other.as_undefined();
    case Kind::kObject:
      return object() == other.object();
    default:
      return true;
  }
}

Dict::Dict(Meter* meter, std::vector<Entry> entries)
    : entries_(std::move(entries)),
      charge_(meter, kHeapOverhead + entries_.size() * (sizeof(Entry) + sizeof(uint32_t))) {
  std::vector<uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [this](uint32_t a, uint32_t b) { return compare_keys(entries_[a].first, entries_[b].first) < 0; });
  // Of equal keys the first entry stays, with the value of the last.
  std::vector<bool> dropped(entries_.size());
  bool any_dropped = false;
  for (size_t i = 0; i < order.size();) {
    size_t next = i + 1;
    while (next < order.size() && compare_keys(entries_[order[i]].first, entries_[order[next]].first) == 0) {
      entries_[order[i]].second = entries_[order[next]].second;
      dropped[order[next++]] = any_dropped = true;
    }
    i = next;
  }
  if (any_dropped) {
    std::vector<Entry> kept;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!dropped[i]) kept.push_back(std::move(entries_[i]));
    }
    *this = Dict(nullptr, std::move(kept));
    charge_ = Charge(meter, kHeapOverhead + entries_.size() * (sizeof(Entry) + sizeof(uint32_t)));
    return;
  }
  if (entries_.size() > kIndexedSize) by_key_ = std::move(order);
  for (const auto& [key, value] : entries_) depth_ = std::max({depth_, depth_of(key), depth_of(value)});
  depth_ = checked_depth(depth_ + 1);
}

template <class Compare>
const Value* Dict::find_by(Compare&& compare) const {
  if (by_key_.empty()) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return compare(entry.first) == 0; });
    return found != entries_.end() ? &found->second : nullptr;
  }
  const auto found = std::partition_point(by_key_.begin(), by_key_.end(),
                                          [&](uint32_t index) { return compare(entries_[index].first) < 0; });
  if (found == by_key_.end() || compare(entries_[*found].first) != 0) return nullptr;
  return &entries_[*found].second;
}

const Value* Dict::find(const Value& key) const {
  return find_by([&](const Value& candidate) { return compare_keys(candidate, key); });
}

const Value* Dict::find(std::string_view key) const {
  constexpr int kStringRank = 2;
  return find_by([&](const Value& candidate) {
    const Text* text = candidate.text();
    return text != nullptr ? compare_text(text->view(), key) : key_rank(candidate) - kStringRank;
  });
}

Value ListBuilder::take_list() {
  charge_ = Charge();
  return make_list(&meter_, std::move(items_));
}

Value ListBuilder::take_tuple() {
  charge_ = Charge();
  return make_tuple(&meter_, std::move(items_));
}

Value make_string(Meter* meter, Text text, bool markup) {
  Charge charge(meter, kHeapOverhead + text.size());
  return Value(std::make_shared<const String>(String{std::move(text), markup, std::move(charge)}));
}

Value make_string(Meter* meter, std::string_view text, bool trusted) {
  return make_string(meter, Text(std::string(text), trusted));
}

Value make_list(Meter* meter, std::vector<Value> items) {
  Charge charge(meter, kHeapOverhead + items.size() * sizeof(Value));
  const int depth = checked_depth(greatest_depth(items) + 1);
  return Value(std::make_shared<const List>(List{std::move(items), depth, std::move(charge)}));
}

Value make_tuple(Meter* meter, std::vector<Value> items) {
  Charge charge(meter, kHeapOverhead + items.size() * sizeof(Value));
  const int depth = checked_depth(greatest_depth(items) + 1);
  return Value(std::make_shared<const Tuple>(Tuple{std::move(items), depth, std::move(charge)}));
}

Value make_dict(Meter* meter, std::vector<Dict::Entry> entries) {
  return Value(std::make_shared<const Dict>(meter, std::move(entries)));
}

Value make_undefined(Meter* meter, std::string message) {
  if (meter != nullptr) meter->work(message.size());
  return Value(std::make_shared<const Undefined>(Undefined{std::move(message)}));
}

int depth_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
      return value.list()->depth;
    case Kind::kTuple:
      return value.tuple()->depth;
    case Kind::kDict:
      return value.dict()->depth();
    case Kind::kObject:
      return value.object()->depth();
    default:
      return 0;
  }
}

int checked_depth(int depth) {
  if (depth > kMaxValueDepth) fail("template too expensive: values nested more than {} deep", kMaxValueDepth);
  return depth;
}

int greatest_depth(const std::vector<Value>& values) {
  int depth = 0;
  for (const Value& value : values) depth = std::max(depth, depth_of(value));
  return depth;
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return value.object()->type_name();
  }
  return "";
}

bool is_number(const Value& value) {
  return value.is(Kind::kBool) || value.is(Kind::kInt) || value.is(Kind::kFloat);
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.floating() != nullptr && b.floating() != nullptr) {
    const auto order = *a.floating() <=> *b.floating();
    return order < 0 ? -1 : order > 0 ? 1 : order == 0 ? 0 : 2;
  }
  if (b.floating() != nullptr) return compare_int_float(integer_of(a), *b.floating());
  if (a.floating() != nullptr) {
    const int order = compare_int_float(integer_of(b), *a.floating());
    return order == 2 ? 2 : -order;
  }
  return sign(integer_of(a) <=> integer_of(b));
}

int compare_keys(const Value& a, const Value& b) {
  const int rank = key_rank(a);
  if (rank != key_rank(b)) return rank < key_rank(b) ? -1 : 1;
  switch (rank) {
    case 0:
      return compare_numbers(a, b);
    case 2:
      return compare_text(a.text()->view(), b.text()->view());
    case 4:
      return compare_tuples(a.tuple()->items, b.tuple()->items);
    case 6:
      return sign(std::compare_three_way{}(a.object(), b.object()));
    default:
      return 0;
  }
}

void require_hashable(const Value& value) {
  if (value.is(Kind::kList) || value.is(Kind::kDict)) fail("unhashable type: '{}'", type_name(value));
  if (const Tuple* tuple = value.tuple()) {
    for (const Value& item : tuple->items) require_hashable(item);
  }
}

}  // namespace glint::jinja
