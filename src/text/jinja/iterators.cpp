// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/iterators.h"

#include "text/jinja/characters.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

constexpr size_t kObjectBytes = 128;  // an object and what it points to, roughly

Value dict_part(Runtime& runtime, const Dict::Entry& entry, DictPart part) {
  switch (part) {
    case DictPart::kKeys:
      return entry.first;
    case DictPart::kValues:
      return entry.second;
    case DictPart::kItems:
      return make_tuple(&runtime.meter, {entry.first, entry.second});
  }
  return Value();
}

class DictView : public Object {
 public:
  DictView(Runtime& runtime, Value dict, DictPart part)
      : Object(depth_of(dict) + 1), dict_(std::move(dict)), part_(part), charge_(&runtime.meter, kObjectBytes) {}

  std::string_view type_name() const override {
    return part_ == DictPart::kKeys ? "dict_keys" : part_ == DictPart::kValues ? "dict_values" : "dict_items";
  }
  std::shared_ptr<Iterator> iterate(Runtime&) override { return iterate_dict(dict_, part_, false); }
  std::shared_ptr<Iterator> iterate_backwards(Runtime&) override { return iterate_dict(dict_, part_, true); }
  std::optional<int64_t> length(Runtime&) override { return static_cast<int64_t>(dict_.dict()->size()); }
  void write_repr(Runtime& runtime, TextBuilder& out) override {
    out.append(type_name(), false);
    out.append("(", false);
    jinja::write_repr(runtime, out, make_list(&runtime.meter, collect(runtime, *this)));
    out.append(")", false);
  }

 private:
  static std::vector<Value> collect(Runtime& runtime, DictView& view) {
    ListBuilder items(runtime.meter);
    const auto iterator = view.iterate(runtime);
    for (Value item; iterator->next(runtime, item);) items.append(item);
    return std::move(items.items());
  }

  Value dict_;
  DictPart part_;
  Charge charge_;
};

}  // namespace

std::shared_ptr<Iterator> iterate_items(std::shared_ptr<const std::vector<Value>> items, bool backwards) {
  return std::make_shared<FunctionIterator>(
      [items = std::move(items), backwards, i = size_t{0}](Runtime&, Value& item) mutable {
        if (i == items->size()) return false;
        item = (*items)[backwards ? items->size() - 1 - i : i];
        ++i;
        return true;
      });
}

std::shared_ptr<Iterator> iterate_string(Value string) {
  return std::make_shared<FunctionIterator>(
      [string = std::move(string), offset = size_t{0}](Runtime& runtime, Value& item) mutable {
        const Text& text = *string.text();
        if (offset == text.size()) return false;
        const size_t begin = offset;
        next_point(text.view(), offset);
        item = runtime.text(text.slice(begin, offset));  // plain even of markup, as in Python
        return true;
      });
}

std::shared_ptr<Iterator> iterate_dict(Value dict, DictPart part, bool backwards) {
  return std::make_shared<FunctionIterator>(
      [dict = std::move(dict), part, backwards, i = size_t{0}](Runtime& runtime, Value& item) mutable {
        const auto& entries = dict.dict()->entries();
        if (i == entries.size()) return false;
        item = dict_part(runtime, entries[backwards ? entries.size() - 1 - i : i], part);
        ++i;
        return true;
      });
}

Value make_generator(Runtime& runtime, int depth, FunctionIterator::Step step) {
  runtime.meter.work(kObjectBytes);
  return Value(std::shared_ptr<Object>(
      std::make_shared<Generator>("generator", std::make_shared<FunctionIterator>(std::move(step)), depth + 1)));
}

Value make_dict_view(Runtime& runtime, Value dict, DictPart part) {
  return Value(std::shared_ptr<Object>(std::make_shared<DictView>(runtime, std::move(dict), part)));
}

}  // namespace glint::jinja
