// SPDX-License-Identifier: Apache-2.0
//
// Attributes, items, slices, lengths and iteration of values (declared in operators.h).
#include <algorithm>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/iterators.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

void refuse_undefined(const Value& value) {
  if (const Undefined* undefined = value.as_undefined()) fail("{}", undefined->message);
}

/// "dict object", "list object", "None": how Jinja names a value that lacks something.
std::string describe(const Value& value) {
  return value.none() ? "None" : fmt::format("{} object", type_name(value));
}

Value no_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  return runtime.undefined(fmt::format("'{}' has no attribute '{}'", describe(value), name));
}

Value no_element(Runtime& runtime, const Value& value, const Value& key) {
  if (const Text* name = key.text()) return no_attribute(runtime, value, name->view());
  return runtime.undefined(fmt::format("{} has no element {}", describe(value), short_repr(runtime, key)));
}

Value unsafe_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  return runtime.undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(value)));
}

bool is_internal(std::string_view name) {
  return name.size() > 4 && name.starts_with("__") && name.ends_with("__");
}

/// The attribute a Python object of this type has; Missing if none.
Value own_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (const Method* method = find_method(value, name)) {
    return method->function != nullptr ? bind_method(value, *method) : unsafe_attribute(runtime, value, name);
  }
  if (Object* object = value.object()) {
    Value found = object->attribute(runtime, name);
    if (!found.missing() && name.starts_with('_')) return unsafe_attribute(runtime, value, name);
    return found;
  }
  return Value();
}

Value item_at(const std::vector<Value>& items, int64_t index) {
  const auto size = static_cast<int64_t>(items.size());
  if (index < 0) index += size;
  return index < 0 || index >= size ? Value() : items[static_cast<size_t>(index)];
}

Value point_at(Runtime& runtime, const String& string, int64_t index) {
  const Text& text = string.text;
  const auto size = static_cast<int64_t>(text.n_points());
  if (index < 0) index += size;
  if (index < 0 || index >= size) return Value();
  if (text.n_points() != text.size()) runtime.meter.work(text.size() * 8);
  const size_t begin = text.offset_of(static_cast<size_t>(index));
  size_t end = begin;
  next_point(text.view(), end);
  return runtime.text(text.slice(begin, end), string.markup);
}

/// value[key] by Python's rules; Missing if there is no such item.
Value own_item(Runtime& runtime, const Value& value, const Value& key) {
  if (const Dict* dict = value.dict()) {
    if (key.is(Kind::kList) || key.is(Kind::kDict)) return Value();
    require_hashable(key);
    if (key.text() != nullptr) runtime.meter.work(key.text()->size());
    const Value* found = dict->find(key);
    return found != nullptr ? *found : Value();
  }
  if (Object* object = value.object()) return object->item(runtime, key);
  const std::optional<int64_t> index = integer_value(key);
  if (!index) return Value();
  if (value.items() != nullptr) return item_at(*value.items(), *index);
  if (const String* string = value.string()) return point_at(runtime, *string, *index);
  return Value();
}

/// The positions a slice takes of a sequence of `size`.
struct SliceRange {
  int64_t start, stop, step;
};

int64_t slice_bound(const Value& value, int64_t otherwise) {
  if (value.missing() || value.none()) return otherwise;
  const std::optional<int64_t> bound = integer_value(value);
  if (!bound) {
    refuse_undefined(value);
    fail("slice indices must be integers or None, not {}", type_name(value));
  }
  return *bound;
}

SliceRange slice_range(int64_t size, const Value& start, const Value& stop, const Value& step_value) {
  // The smallest integer has no opposite; no sequence is long enough for the difference to show.
  const int64_t step = std::max(slice_bound(step_value, 1), -INT64_MAX);
  if (step == 0) fail("slice step cannot be zero");
  const int64_t lowest = step > 0 ? 0 : -1;
  const int64_t highest = step > 0 ? size : size - 1;
  const auto clamp = [&](const Value& value, int64_t otherwise) {
    int64_t bound = slice_bound(value, otherwise);
    if (value.missing() || value.none()) return bound;
    if (bound < 0) bound = std::max(bound + size, lowest);
    return std::min(bound, highest);
  };
  return {clamp(start, step > 0 ? 0 : size - 1), clamp(stop, step > 0 ? size : -1), step};
}

/// Calls f(index) for each position of the slice.
template <class F>
void for_each_index(Runtime& runtime, const SliceRange& range, F&& f) {
  for (int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    runtime.meter.step();
    f(static_cast<size_t>(i));
    if (__builtin_add_overflow(i, range.step, &i)) return;
  }
}

Value slice_string(Runtime& runtime, const String& string, const SliceRange& range) {
  const Text& text = string.text;
  runtime.meter.work(text.n_points() != text.size() ? text.size() * 8 : text.size());
  TextBuilder out(&runtime.meter);
  if (range.step == 1) {
    if (range.start < range.stop) {
      const size_t begin = text.offset_of(static_cast<size_t>(range.start));
      out.append(text, begin, text.offset_of(static_cast<size_t>(range.stop)));
    }
    return runtime.text(out.take(), string.markup);
  }
  std::vector<size_t> offsets;  // of every code point, and the end
  const Charge charge(&runtime.meter, (text.n_points() + 1) * sizeof(size_t));
  for (size_t offset = 0; offset < text.size(); next_point(text.view(), offset)) offsets.push_back(offset);
  offsets.push_back(text.size());
  for_each_index(runtime, range, [&](size_t i) { out.append(text, offsets[i], offsets[i + 1]); });
  return runtime.text(out.take(), string.markup);
}

Value slice_items(Runtime& runtime, const Value& value, const SliceRange& range) {
  ListBuilder out(runtime.meter);
  for_each_index(runtime, range, [&](size_t i) { out.append((*value.items())[i]); });
  return value.list() != nullptr ? out.take_list() : out.take_tuple();
}

/// The items of a list or tuple, kept alive by the value.
std::shared_ptr<const std::vector<Value>> shared_items(const Value& value) {
  auto holder = std::make_shared<const Value>(value);
  return {holder, holder->items()};
}

std::shared_ptr<Iterator> iterator_or_null(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return std::make_shared<FunctionIterator>([](Runtime&, Value&) { return false; });
    case Kind::kString:
      return iterate_string(value);
    case Kind::kList:
    case Kind::kTuple:
      return iterate_items(shared_items(value), false);
    case Kind::kDict:
      return iterate_dict(value, DictPart::kKeys, false);
    case Kind::kObject:
      return value.object()->iterate(runtime);
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<int64_t> length_of(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(value.text()->n_points());
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.items()->size());
    case Kind::kDict:
      return static_cast<int64_t>(value.dict()->size());
    case Kind::kObject:
      return value.object()->length(runtime);
    default:
      return std::nullopt;
  }
}

bool is_iterable(Runtime& runtime, const Value& value) {
  return iterator_or_null(runtime, value) != nullptr;
}

std::shared_ptr<Iterator> iterate(Runtime& runtime, const Value& value) {
  runtime.meter.step();
  std::shared_ptr<Iterator> iterator = iterator_or_null(runtime, value);
  if (iterator == nullptr) fail("'{}' object is not iterable", type_name(value));
  return iterator;
}

std::shared_ptr<Iterator> iterate_backwards(Runtime& runtime, const Value& value) {
  runtime.meter.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return iterate(runtime, value);
    case Kind::kString: {
      ListBuilder points(runtime.meter);
      const auto iterator = iterate_string(value);
      for (Value point; iterator->next(runtime, point);) points.append(point);
      return iterate_items(std::make_shared<const std::vector<Value>>(std::move(points.items())), true);
    }
    case Kind::kList:
    case Kind::kTuple:
      return iterate_items(shared_items(value), true);
    case Kind::kDict:
      return iterate_dict(value, DictPart::kKeys, true);
    case Kind::kObject:
      return value.object()->iterate_backwards(runtime);
    default:
      return nullptr;
  }
}

std::vector<Value> collect(Runtime& runtime, const Value& value) {
  ListBuilder items(runtime.meter);
  const std::shared_ptr<Iterator> iterator = iterate(runtime, value);
  for (Value item; iterator->next(runtime, item);) items.append(item);
  return std::move(items.items());
}

Value get_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  runtime.meter.step();
  refuse_undefined(value);
  Value found = own_attribute(runtime, value, name);
  if (!found.missing()) return found;
  if (const Dict* dict = value.dict()) {
    if (const Value* item = dict->find(name)) return *item;
  }
  if (is_internal(name)) return unsafe_attribute(runtime, value, name);
  return no_attribute(runtime, value, name);
}

Value get_attribute_only(Runtime& runtime, const Value& value, std::string_view name) {
  refuse_undefined(value);
  Value found = own_attribute(runtime, value, name);
  if (!found.missing()) return found;
  return is_internal(name) ? unsafe_attribute(runtime, value, name) : no_attribute(runtime, value, name);
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  runtime.meter.step();
  refuse_undefined(value);
  Value found = own_item(runtime, value, key);
  if (!found.missing()) return found;
  if (const Text* name = key.text()) {
    found = own_attribute(runtime, value, name->view());
    if (!found.missing()) return found;
    if (is_internal(name->view())) return unsafe_attribute(runtime, value, name->view());
  }
  return no_element(runtime, value, key);
}

Value get_slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step) {
  runtime.meter.step();
  refuse_undefined(value);
  if (const String* string = value.string()) {
    return slice_string(runtime, *string,
                        slice_range(static_cast<int64_t>(string->text.n_points()), start, stop, step));
  }
  if (value.items() != nullptr) {
    return slice_items(runtime, value, slice_range(static_cast<int64_t>(value.items()->size()), start, stop, step));
  }
  fail("'{}' object cannot be sliced", type_name(value));
}

Value call(Runtime& runtime, const Value& callee, Arguments& arguments) {
  runtime.meter.step();
  refuse_undefined(callee);
  if (Object* object = callee.object()) return object->call(runtime, arguments);
  fail("'{}' object is not callable", type_name(callee));
}

}  // namespace glint::jinja
