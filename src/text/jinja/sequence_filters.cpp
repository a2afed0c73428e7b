// SPDX-License-Identifier: Apache-2.0
//
// Filters on sequences and mappings as wholes: order, size, parts, sums.
#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/attribute_getter.h"
#include "text/jinja/filters.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

Value filter_length(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("length", arguments, {});
  const std::optional<int64_t> length = length_of(runtime, input);
  if (!length) fail("object of type '{}' has no len()", type_name(input));
  return Value(*length);
}

Value filter_list(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return make_list(&runtime.meter, collect(runtime, input));
}

Value filter_first(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("first", arguments, {});
  Value item;
  return iterate(runtime, input)->next(runtime, item) ? item : runtime.undefined("No first item, sequence was empty.");
}

Value filter_last(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (input.items() != nullptr && !input.items()->empty()) return input.items()->back();
  const std::shared_ptr<Iterator> iterator = iterate_backwards(runtime, input);
  if (iterator == nullptr) fail("'{}' object is not reversible", type_name(input));
  Value item;
  return iterator->next(runtime, item) ? item : runtime.undefined("No last item, sequence was empty.");
}

Value filter_default(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  if (!input.undefined() && !(bound.truth_or(runtime, 1, false) && !truth(runtime, input))) return input;
  return bound.given(0) ? bound[0] : runtime.text("", true);
}

Value filter_join(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const AttributeGetter getter(runtime, bound[1]);
  const Text separator = bound.given(0) ? to_text(runtime, bound[0]) : Text();
  TextBuilder out(&runtime.meter);
  const std::shared_ptr<Iterator> iterator = iterate(runtime, input);
  bool first = true;
  for (Value item; iterator->next(runtime, item); first = false) {
    if (!first) out.append(separator);
    write_str(runtime, out, getter(runtime, item));
  }
  return runtime.text(out.take());
}

Value filter_attr(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  return get_attribute_only(runtime, input, bound.text(0).view());
}

/// A value with the key it is ordered by.
struct Keyed {
  Value key;
  Value value;
};

void sort_keyed(Runtime& runtime, std::vector<Keyed>& keyed, bool reverse) {
  runtime.meter.work(keyed.size() * sizeof(Keyed) * 16);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? less(runtime, b.key, a.key) : less(runtime, a.key, b.key);
  });
}

Value values_of(Runtime& runtime, std::vector<Keyed>& keyed) {
  ListBuilder out(runtime.meter);
  for (Keyed& entry : keyed) out.append(std::move(entry.value));
  return out.take_list();
}

/// One getter for each part of "a,b.c".
std::vector<AttributeGetter> sort_getters(Runtime& runtime, const Value& attribute) {
  std::vector<AttributeGetter> getters;
  const Text* text = attribute.text();
  if (text == nullptr) {
    getters.emplace_back(runtime, attribute);
    return getters;
  }
  const std::string_view names = text->view();
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    getters.emplace_back(runtime, runtime.text(text->slice(begin, end)));
    begin = end + 1;
  }
  return getters;
}

Value filter_sort(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth_or(runtime, 1, false);
  const std::vector<AttributeGetter> getters = sort_getters(runtime, bound[2]);
  std::vector<Keyed> keyed;
  for (Value& item : collect(runtime, input)) {
    std::vector<Value> keys;
    for (const AttributeGetter& getter : getters) {
      Value key = getter(runtime, item);
      keys.push_back(case_sensitive ? key : ignore_case(runtime, key));
    }
    keyed.push_back({make_list(&runtime.meter, std::move(keys)), std::move(item)});
  }
  sort_keyed(runtime, keyed, bound.integer_or(0, 0) != 0);
  return values_of(runtime, keyed);
}

Value filter_dict_sort(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.given(1) ? bound.text(1).bytes() : "key";
  if (by != "key" && by != "value") fail("dictsort: you can only sort by either \"key\" or \"value\"");
  const Dict* dict = input.dict();
  if (dict == nullptr) {
    if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
    fail("dictsort needs a mapping, not {}", type_name(input));
  }
  const bool case_sensitive = bound.truth_or(runtime, 0, false);
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : dict->entries()) {
    const Value& sort_key = by == "key" ? key : value;
    keyed.push_back(
        {case_sensitive ? sort_key : ignore_case(runtime, sort_key), make_tuple(&runtime.meter, {key, value})});
  }
  sort_keyed(runtime, keyed, bound.integer_or(2, 0) != 0);
  return values_of(runtime, keyed);
}

template <bool want_max>
Value filter_extreme(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound(want_max ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth_or(runtime, 0, false);
  const AttributeGetter getter(runtime, bound[1]);
  const std::shared_ptr<Iterator> iterator = iterate(runtime, input);
  Keyed best;
  for (Value item; iterator->next(runtime, item);) {
    Value key = getter(runtime, item);
    if (!case_sensitive) key = ignore_case(runtime, key);
    if (best.value.missing() || (want_max ? less(runtime, best.key, key) : less(runtime, key, best.key))) {
      best = {std::move(key), item};
    }
  }
  return best.value.missing() ? runtime.undefined("No aggregated item, sequence was empty.") : best.value;
}

Value filter_sum(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const AttributeGetter getter(runtime, bound[0]);
  Value total = bound.given(1) ? bound[1] : Value(int64_t{0});
  if (total.text() != nullptr) fail("sum() can't sum strings [use ''.join(seq) instead]");
  const std::shared_ptr<Iterator> iterator = iterate(runtime, input);
  for (Value item; iterator->next(runtime, item);) {
    total = arithmetic(runtime, Arithmetic::kAdd, total, getter(runtime, item));
  }
  return total;
}

/// Distinct keys seen so far, looked up in O(log n).
struct KeyLess {
  bool operator()(const Value& a, const Value& b) const { return compare_keys(a, b) < 0; }
};

Value filter_unique(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth_or(runtime, 0, false);
  const auto source = iterate(runtime, input);
  const AttributeGetter getter(runtime, bound[1]);
  const int depth = depth_of(input);
  return make_generator(
      runtime, depth, [source, getter, case_sensitive, seen = std::vector<Value>()](Runtime& rt, Value& item) mutable {
        for (Value candidate; source->next(rt, candidate);) {
          Value key = getter(rt, candidate);
          if (!case_sensitive) key = ignore_case(rt, key);
          require_hashable(key);
          const auto place = std::lower_bound(seen.begin(), seen.end(), key, KeyLess());
          if (place != seen.end() && compare_keys(*place, key) == 0) continue;
          rt.meter.work(static_cast<size_t>(seen.end() - place) * sizeof(Value));
          seen.insert(place, key);
          item = candidate;
          return true;
        }
        return false;
      });
}

Value filter_reverse(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (input.text() != nullptr) return get_slice(runtime, input, Value(), Value(), Value(int64_t{-1}));
  std::shared_ptr<Iterator> iterator = iterate_backwards(runtime, input);
  if (iterator == nullptr) {
    std::vector<Value> items = collect(runtime, input);
    std::reverse(items.begin(), items.end());
    return make_list(&runtime.meter, std::move(items));
  }
  return make_generator(runtime, depth_of(input),
                        [iterator](Runtime& rt, Value& item) { return iterator->next(rt, item); });
}

Value filter_items(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("items", arguments, {});
  if (input.undefined()) return make_generator(runtime, 0, [](Runtime&, Value&) { return false; });
  if (input.dict() == nullptr) {
    return make_generator(runtime, 0,
                          [](Runtime&, Value&) -> bool { fail("Can only get item pairs from a mapping."); });
  }
  const auto iterator = iterate_dict(input, DictPart::kItems, false);
  return make_generator(runtime, depth_of(input),
                        [iterator](Runtime& rt, Value& item) { return iterator->next(rt, item); });
}

Value filter_batch(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = bound.integer(0);
  const Value fill = bound[1];
  const auto source = iterate(runtime, input);
  return make_generator(runtime, depth_of(input),
                        [source, size, fill, ahead = Value(), done = false](Runtime& rt, Value& item) mutable {
                          // Jinja closes a batch when it is full and another item comes.
                          ListBuilder batch(rt.meter);
                          if (!ahead.missing()) batch.append(std::exchange(ahead, Value()));
                          for (Value next; !done;) {
                            if (!source->next(rt, next)) {
                              done = true;
                            } else if (static_cast<int64_t>(batch.size()) == size) {
                              ahead = next;
                              item = batch.take_list();
                              return true;
                            } else {
                              batch.append(next);
                            }
                          }
                          if (batch.size() == 0) return false;
                          while (!fill.missing() && !fill.none() && static_cast<int64_t>(batch.size()) < size)
                            batch.append(fill);
                          item = batch.take_list();
                          return true;
                        });
}

Value filter_slice(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  const int64_t n_slices = bound.integer(0);
  const Value fill = bound[1];
  if (n_slices == 0) fail("integer division or modulo by zero");
  const Value items = make_list(&runtime.meter, collect(runtime, input));
  return make_generator(runtime, depth_of(items),
                        [items, n_slices, fill, i = int64_t{0}](Runtime& rt, Value& item) mutable {
                          if (i >= n_slices) return false;
                          const auto length = static_cast<int64_t>(items.list()->items.size());
                          const int64_t base = length / n_slices;
                          const int64_t n_longer = length % n_slices;
                          const int64_t start = i * base + std::min(i, n_longer);
                          const int64_t end = start + base + (i < n_longer ? 1 : 0);
                          ListBuilder part(rt.meter);
                          for (int64_t at = start; at < end; ++at)
                            part.append(items.list()->items[static_cast<size_t>(at)]);
                          if (!fill.missing() && !fill.none() && i >= n_longer) part.append(fill);
                          item = part.take_list();
                          ++i;
                          return true;
                        });
}

/// (grouper, list): a tuple whose parts have names.
class Group : public Object {
 public:
  explicit Group(Value pair) : Object(depth_of(pair)), pair_(std::move(pair)) {}
  std::string_view type_name() const override { return "_GroupTuple"; }
  Value attribute(Runtime&, std::string_view name) override {
    return name == "grouper" ? pair_.tuple()->items[0] : name == "list" ? pair_.tuple()->items[1] : Value();
  }
  Value item(Runtime& runtime, const Value& key) override {
    const std::optional<int64_t> index = integer_value(key);
    return index && *index >= -2 && *index < 2 ? get_item(runtime, pair_, key) : Value();
  }
  std::shared_ptr<Iterator> iterate(Runtime& runtime) override { return jinja::iterate(runtime, pair_); }
  std::optional<int64_t> length(Runtime&) override { return 2; }
  void write_repr(Runtime& runtime, TextBuilder& out) override { jinja::write_repr(runtime, out, pair_); }

 private:
  Value pair_;
};

Value filter_group_by(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const bool case_sensitive = bound.truth_or(runtime, 2, false);
  const AttributeGetter getter(runtime, bound[0], bound[1]);
  std::vector<Keyed> keyed;
  for (Value& item : collect(runtime, input)) {
    Value key = getter(runtime, item);
    keyed.push_back({case_sensitive ? key : ignore_case(runtime, key), std::move(item)});
  }
  sort_keyed(runtime, keyed, false);
  ListBuilder groups(runtime.meter);
  for (size_t i = 0; i < keyed.size();) {
    ListBuilder members(runtime.meter);
    const size_t begin = i;
    for (; i < keyed.size() && equal(runtime, keyed[i].key, keyed[begin].key); ++i) members.append(keyed[i].value);
    if (i == begin) members.append(keyed[i++].value);  // a key that equals nothing, not even itself
    const Value grouper = case_sensitive ? keyed[begin].key : getter(runtime, keyed[begin].value);
    groups.append(Value(
        std::shared_ptr<Object>(std::make_shared<Group>(make_tuple(&runtime.meter, {grouper, members.take_list()})))));
  }
  return groups.take_list();
}

Value refused(Runtime&, const Value&, Arguments&) {
  fail("filter 'random' is not supported: a prompt must not be random");
}

constexpr std::array kFilters = {
    Filter{"attr", filter_attr},   Filter{"batch", filter_batch},       Filter{"count", filter_length},
    Filter{"d", filter_default},   Filter{"default", filter_default},   Filter{"dictsort", filter_dict_sort},
    Filter{"first", filter_first}, Filter{"groupby", filter_group_by},  Filter{"items", filter_items},
    Filter{"join", filter_join},   Filter{"last", filter_last},         Filter{"length", filter_length},
    Filter{"list", filter_list},   Filter{"max", filter_extreme<true>}, Filter{"min", filter_extreme<false>},
    Filter{"random", refused},     Filter{"reverse", filter_reverse},   Filter{"slice", filter_slice},
    Filter{"sort", filter_sort},   Filter{"sum", filter_sum},           Filter{"unique", filter_unique},
};

}  // namespace

std::span<const Filter> sequence_filters() {
  return kFilters;
}

}  // namespace glint::jinja
