// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/globals.h"

#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

class Function : public Object {
 public:
  Function(std::string name, NativeFunction function, int depth)
      : Object(depth), name_(std::move(name)), function_(std::move(function)) {}
  std::string_view type_name() const override { return "function"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override { return function_(runtime, arguments); }
  void write_repr(Runtime&, TextBuilder& out) override { out.append("<function " + name_ + ">", false); }

 private:
  std::string name_;
  NativeFunction function_;
};

class Range : public Object {
 public:
  Range(int64_t start, int64_t stop, int64_t step, int64_t length)
      : start_(start), stop_(stop), step_(step), length_(length) {}
  std::string_view type_name() const override { return "range"; }
  std::optional<int64_t> length(Runtime&) override { return length_; }
  std::shared_ptr<Iterator> iterate(Runtime&) override { return walk(start_, step_); }
  std::shared_ptr<Iterator> iterate_backwards(Runtime&) override {
    return length_ > 0 ? walk(start_ + (length_ - 1) * step_, -step_) : walk(0, 0);
  }
  Value item(Runtime&, const Value& key) override {
    std::optional<int64_t> index = integer_value(key);
    if (index && *index < 0) *index += length_;
    return index && *index >= 0 && *index < length_ ? Value(start_ + *index * step_) : Value();
  }
  bool equals(Runtime&, Object& other) override {
    const auto* range = dynamic_cast<const Range*>(&other);
    if (range == nullptr || range->length_ != length_) return false;
    return length_ == 0 || (range->start_ == start_ && (length_ == 1 || range->step_ == step_));
  }
  void write_repr(Runtime&, TextBuilder& out) override {
    out.append(step_ == 1 ? fmt::format("range({}, {})", start_, stop_)
                          : fmt::format("range({}, {}, {})", start_, stop_, step_),
               false);
  }

 private:
  std::shared_ptr<Iterator> walk(int64_t first, int64_t step) const {
    return std::make_shared<FunctionIterator>(
        [first, step, length = length_, i = int64_t{0}](Runtime&, Value& item) mutable {
          if (i == length) return false;
          item = Value(first + i++ * step);
          return true;
        });
  }

  int64_t start_, stop_, step_, length_;
};

class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(std::vector<Value> items) : Object(greatest_depth(items) + 1), items_(std::move(items)) {}
  std::string_view type_name() const override { return "Cycler"; }
  Value attribute(Runtime& runtime, std::string_view name) override;

 private:
  std::vector<Value> items_;
  size_t position_ = 0;
};

Value Cycler::attribute(Runtime&, std::string_view name) {
  if (name == "current") return items_[position_];
  if (name == "next") {
    const auto next = [self = shared_from_this()](Runtime&, Arguments& arguments) {
      const Bound bound("next", arguments, {});
      return self->items_[std::exchange(self->position_, (self->position_ + 1) % self->items_.size())];
    };
    return make_function("next", next, depth() + 1);
  }
  if (name == "reset") {
    const auto reset = [self = shared_from_this()](Runtime&, Arguments& arguments) {
      const Bound bound("reset", arguments, {});
      self->position_ = 0;
      return Value(None());
    };
    return make_function("reset", reset, depth() + 1);
  }
  return Value();
}

class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : Object(depth_of(separator) + 1), separator_(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Arguments& arguments) override {
    const Bound bound("joiner", arguments, {});
    return std::exchange(used_, true) ? separator_ : runtime.text("", true);
  }

 private:
  Value separator_;
  bool used_ = false;
};

/// Number of items of range(start, stop, step).
int64_t range_length(int64_t start, int64_t stop, int64_t step) {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                     : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return static_cast<int64_t>(std::min<uint64_t>((distance - 1) / stride + 1, INT64_MAX));
}

Value call_range(Runtime&, Arguments& arguments) {
  constexpr int64_t kMaxRange = 100'000;  // as Jinja's sandbox
  const Bound bound("range", arguments, {"", "", ""}, 1);
  const int64_t start = bound.given(1) ? bound.integer(0) : 0;
  const int64_t stop = bound.given(1) ? bound.integer(1) : bound.integer(0);
  const int64_t step = bound.integer_or(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  const int64_t length = range_length(start, stop, step);
  if (length > kMaxRange) {
    fail("template too expensive: range of {} items, at most {} are allowed", length, kMaxRange);
  }
  return Value(std::shared_ptr<Object>(std::make_shared<Range>(start, stop, step, length)));
}

/// The entries dict(first, **named) would have.
std::vector<Dict::Entry> dict_entries(Runtime& runtime, std::string_view function, Arguments& arguments) {
  if (arguments.positional.size() > 1) fail("{} expected at most 1 argument", function);
  std::vector<Dict::Entry> entries;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (const Undefined* undefined = source.as_undefined()) fail("{}", undefined->message);
    if (const Dict* dict = source.dict()) {
      runtime.meter.work(dict->size() * sizeof(Dict::Entry));
      entries = dict->entries();
    } else {
      for (const Value& pair : collect(runtime, source)) {
        const std::vector<Value> items = collect(runtime, pair);
        if (items.size() != 2) fail("dictionary update sequence element has length {}; 2 is required", items.size());
        require_hashable(items[0]);
        entries.emplace_back(items[0], items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(runtime.text(name, true), value);
  return entries;
}

Value call_dict(Runtime& runtime, Arguments& arguments) {
  return make_dict(&runtime.meter, dict_entries(runtime, "dict", arguments));
}

Value call_namespace(Runtime& runtime, Arguments& arguments) {
  auto made = std::make_shared<Namespace>();
  runtime.clear_at_end(made);
  const Value members = make_dict(&runtime.meter, dict_entries(runtime, "namespace", arguments));
  for (const auto& [name, value] : members.dict()->entries()) made->set(runtime, name, value);
  return Value(std::shared_ptr<Object>(made));
}

Value call_cycler(Runtime& runtime, Arguments& arguments) {
  if (!arguments.named.empty()) fail("cycler() takes no keyword arguments");
  if (arguments.positional.empty()) fail("at least one item has to be provided");
  runtime.meter.allocate(sizeof(Cycler) + arguments.positional.size() * sizeof(Value));
  return Value(std::shared_ptr<Object>(std::make_shared<Cycler>(std::move(arguments.positional))));
}

Value call_joiner(Runtime& runtime, Arguments& arguments) {
  const Bound bound("joiner", arguments, {"sep"});
  return Value(std::shared_ptr<Object>(std::make_shared<Joiner>(bound.given(0) ? bound[0] : runtime.text(", ", true))));
}

Value call_raise_exception(Runtime& runtime, Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  fail("{}", to_text(runtime, bound[0]).bytes());
}

Value call_strftime_now(Runtime& runtime, Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  const Text& format = bound.text(0);
  return runtime.text(format_date(runtime.now, format.view()), format.fully_trusted());
}

Value call_lipsum(Runtime&, Arguments&) {
  fail("lipsum() is not supported: a prompt must not be random");
}

}  // namespace

Value Namespace::attribute(Runtime& runtime, std::string_view name) {
  runtime.meter.work(members_.size());
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [name](const Dict::Entry& entry) { return entry.first.text()->view() == name; });
  return found != members_.end() ? found->second : Value();
}

void Namespace::set(Runtime& runtime, const Value& name, Value value) {
  if (name.text() == nullptr) fail("namespace keys must be strings");
  runtime.meter.work(members_.size());
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Dict::Entry& entry) { return *entry.first.text() == *name.text(); });
  if (found != members_.end()) {
    found->second = std::move(value);
    return;
  }
  runtime.meter.allocate(sizeof(Dict::Entry));
  members_.emplace_back(name, std::move(value));
}

void Namespace::write_repr(Runtime& runtime, TextBuilder& out) {
  out.append("<Namespace ", false);
  jinja::write_repr(runtime, out, make_dict(&runtime.meter, members_));
  out.append(">", false);
}

Value make_function(std::string name, NativeFunction function, int depth) {
  return Value(std::shared_ptr<Object>(std::make_shared<Function>(std::move(name), std::move(function), depth)));
}

Value find_global(Runtime&, std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Value (*)(Runtime&, Arguments&)>, 8> kGlobals = {{
      {"range", call_range},
      {"dict", call_dict},
      {"namespace", call_namespace},
      {"cycler", call_cycler},
      {"joiner", call_joiner},
      {"raise_exception", call_raise_exception},
      {"strftime_now", call_strftime_now},
      {"lipsum", call_lipsum},
  }};
  for (const auto& [known, function] : kGlobals) {
    if (known == name) return make_function(std::string(name), function);
  }
  return Value();
}

std::string format_date(const std::tm& date, std::string_view format) {
  // Each directive goes through strftime on its own, so no width modifier of the C library's can grow the output.
  constexpr std::string_view kDirectives = "aAwdbBmyYHIMpSjUWcxXGuVCDeFhnrRtT%";
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    std::string directive = "%";
    if (i + 1 < format.size() && format[i + 1] == '-') {
      directive += '-';
      ++i;
    }
    if (++i >= format.size() || kDirectives.find(format[i]) == std::string_view::npos) {
      fail("strftime_now: directive '%{}' is not supported", i < format.size() ? format.substr(i, 1) : "");
    }
    directive += format[i];
    std::array<char, 128> buffer{};
    const size_t length = std::strftime(buffer.data(), buffer.size(), directive.c_str(), &date);
    out.append(buffer.data(), length);
  }
  return out;
}

}  // namespace glint::jinja
