// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/callables.h"

#include "text/jinja/arguments.h"
#include "text/jinja/globals.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"

namespace glint::jinja {

Value Macro::attribute(Runtime& runtime, std::string_view name) {
  if (name == "name") return callable_.name.empty() ? Value(None()) : runtime.text(callable_.name, true);
  if (name == "caller") return Value(callable_.takes_caller);
  if (name == "catch_kwargs") return Value(callable_.takes_kwargs);
  if (name == "catch_varargs") return Value(callable_.takes_varargs);
  if (name == "arguments") {
    ListBuilder names(runtime.meter);
    for (const Parameter& parameter : callable_.parameters) names.append(runtime.text(parameter.name, true));
    return names.take_tuple();
  }
  return Value();
}

void Macro::write_repr(Runtime&, TextBuilder& out) {
  out.append(callable_.name.empty() ? "<Macro anonymous>" : "<Macro '" + callable_.name + "'>", false);
}

bool Loop::peek(Runtime& runtime) {
  if (!peeked_) {
    ahead_ = Value();
    iterator_->next(runtime, ahead_);
    peeked_ = true;
  }
  return !ahead_.missing();
}

bool Loop::next(Runtime& runtime, Value& item) {
  if (!peek(runtime)) {
    peeked_ = false;
    return false;
  }
  peeked_ = false;
  ++index0_;
  previous_ = std::exchange(current_, std::exchange(ahead_, Value()));
  item = current_;
  return true;
}

std::optional<int64_t> Loop::length(Runtime& runtime) {
  if (!length_ && sized_) length_ = length_of(runtime, iterable_);
  if (!length_) {
    // A lazy iterable: read the rest to count it.
    ListBuilder rest(runtime.meter);
    for (Value item; iterator_->next(runtime, item);) rest.append(item);
    length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + (peeked_ && !ahead_.missing() ? 1 : 0);
    iterator_ = iterate_items(std::make_shared<const std::vector<Value>>(std::move(rest.items())), false);
  }
  return length_;
}

Value Loop::attribute(Runtime& runtime, std::string_view name) {
  if (name == "index") return Value(index0_ + 1);
  if (name == "index0") return Value(index0_);
  if (name == "first") return Value(index0_ == 0);
  if (name == "last") return Value(!peek(runtime));
  if (name == "length") return Value(*length(runtime));
  if (name == "revindex") return Value(*length(runtime) - index0_);
  if (name == "revindex0") return Value(*length(runtime) - index0_ - 1);
  if (name == "depth") return Value(int64_t{depth0_} + 1);
  if (name == "depth0") return Value(int64_t{depth0_});
  if (name == "previtem") return index0_ == 0 ? runtime.undefined("there is no previous item") : previous_;
  if (name == "nextitem") return peek(runtime) ? ahead_ : runtime.undefined("there is no next item");
  if (name == "cycle") {
    const auto cycle = [self = shared_from_this()](Runtime&, Arguments& arguments) { return self->cycle(arguments); };
    return make_function("cycle", cycle, depth() + 1);
  }
  if (name == "changed") {
    const auto changed = [self = shared_from_this()](Runtime& runtime, Arguments& arguments) {
      return self->changed(runtime, arguments);
    };
    return make_function("changed", changed, depth() + 1);
  }
  return Value();
}

Value Loop::cycle(Arguments& arguments) const {
  if (!arguments.named.empty()) fail("cycle() takes no keyword arguments");
  if (arguments.positional.empty()) fail("no items for cycling given");
  return arguments.positional[static_cast<size_t>(index0_) % arguments.positional.size()];
}

Value Loop::changed(Runtime& runtime, Arguments& arguments) {
  if (!arguments.named.empty()) fail("changed() takes no keyword arguments");
  const Value now = make_tuple(&runtime.meter, std::move(arguments.positional));
  if (last_changed_.missing()) {
    runtime.clear_at_end(shared_from_this());
  } else if (equal(runtime, last_changed_, now)) {
    return Value(false);
  }
  last_changed_ = now;
  return Value(true);
}

Value Loop::call(Runtime& runtime, Arguments& arguments) {
  const Bound bound("loop", arguments, {"iterable"}, 1);
  if (!recursion_) fail("the loop must have the 'recursive' marker to be called recursively");
  return runtime.text(recursion_(bound[0], depth0_ + 1));
}

void Loop::write_repr(Runtime& runtime, TextBuilder& out) {
  out.append(fmt::format("<LoopContext {}/{}>", index0_ + 1, *length(runtime)), false);
}

}  // namespace glint::jinja
