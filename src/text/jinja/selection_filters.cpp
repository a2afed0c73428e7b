// SPDX-License-Identifier: Apache-2.0
//
// Filters that apply another filter or a test to each item: map, select, reject and their attribute forms. All are
// lazy.
#include <array>
#include <memory>

#include "text/jinja/arguments.h"
#include "text/jinja/attribute_getter.h"
#include "text/jinja/filters.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/tests.h"

namespace glint::jinja {
namespace {

/// Moves the first positional argument out.
Value take_first(Arguments& arguments) {
  Value first = std::move(arguments.positional[0]);
  arguments.positional.erase(arguments.positional.begin());
  return first;
}

int depth_of_arguments(const Arguments& arguments) {
  int depth = greatest_depth(arguments.positional);
  for (const auto& [name, value] : arguments.named) depth = std::max(depth, depth_of(value));
  return depth;
}

/// Walks `input` on first use, so that what is not iterable fails only then, as in Python.
class LazySource {
 public:
  explicit LazySource(Value input) : input_(std::move(input)) {}
  bool next(Runtime& runtime, Value& item) {
    if (iterator_ == nullptr) {
      if (!truth(runtime, input_)) return false;
      iterator_ = iterate(runtime, input_);
    }
    return iterator_->next(runtime, item);
  }

 private:
  Value input_;
  std::shared_ptr<Iterator> iterator_;
};

Value map_attribute(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Value attribute = take_named(arguments, "attribute");
  const Value otherwise = take_named(arguments, "default");
  if (!arguments.named.empty()) fail("map: unexpected keyword argument '{}'", arguments.named[0].first);
  const AttributeGetter getter(runtime, attribute, otherwise);
  const int depth = std::max(depth_of(input), getter.depth());
  return make_generator(runtime, depth, [source = LazySource(input), getter](Runtime& rt, Value& item) mutable {
    if (!source.next(rt, item)) return false;
    item = getter(rt, item);
    return true;
  });
}

Value filter_map(Runtime& runtime, const Value& input, Arguments& arguments) {
  if (arguments.positional.empty()) {
    for (const auto& [name, value] : arguments.named) {
      if (name == "attribute") return map_attribute(runtime, input, arguments);
    }
    fail("map requires a filter argument");
  }
  const Value name = take_first(arguments);
  const Filter* filter = name.text() != nullptr ? find_filter(name.text()->view()) : nullptr;
  if (filter == nullptr) {
    return make_generator(runtime, 0, [source = LazySource(input)](Runtime& rt, Value& item) mutable {
      if (source.next(rt, item)) fail("map: no such filter");
      return false;
    });
  }
  const int depth = std::max(depth_of(input), depth_of_arguments(arguments));
  return make_generator(runtime, depth,
                        [source = LazySource(input), filter, arguments](Runtime& rt, Value& item) mutable {
                          if (!source.next(rt, item)) return false;
                          Arguments each = arguments;
                          item = filter->function(rt, item, each);
                          return true;
                        });
}

/// Items that pass (`wanted` true) or fail a test, of their own or of one of their attributes.
template <bool wanted, bool by_attribute>
Value filter_select(Runtime& runtime, const Value& input, Arguments& arguments) {
  Value attribute;
  if (by_attribute) {
    if (arguments.positional.empty()) fail("missing parameter for attribute name");
    attribute = take_first(arguments);
  }
  const AttributeGetter getter(runtime, attribute);
  const Test* test = nullptr;
  if (!arguments.positional.empty()) {
    const Value name = take_first(arguments);
    test = name.text() != nullptr ? find_test(name.text()->view()) : nullptr;
    if (test == nullptr) {
      return make_generator(runtime, 0, [source = LazySource(input)](Runtime& rt, Value& item) mutable {
        if (source.next(rt, item)) fail("select: no such test");
        return false;
      });
    }
  }
  const int depth = std::max(depth_of(input), depth_of_arguments(arguments));
  return make_generator(runtime, depth,
                        [source = LazySource(input), getter, test, arguments](Runtime& rt, Value& item) mutable {
                          for (Value candidate; source.next(rt, candidate);) {
                            const Value tested = getter(rt, candidate);
                            Arguments each = arguments;
                            if ((test != nullptr ? test->function(rt, tested, each) : truth(rt, tested)) != wanted)
                              continue;
                            item = candidate;
                            return true;
                          }
                          return false;
                        });
}

constexpr std::array kFilters = {
    Filter{"map", filter_map},
    Filter{"reject", filter_select<false, false>},
    Filter{"rejectattr", filter_select<false, true>},
    Filter{"select", filter_select<true, false>},
    Filter{"selectattr", filter_select<true, true>},
};

}  // namespace

std::span<const Filter> selection_filters() {
  return kFilters;
}

}  // namespace glint::jinja
