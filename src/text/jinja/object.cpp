// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/object.h"

#include "text/jinja/runtime.h"

namespace glint::jinja {

Value Object::call(Runtime&, Arguments&) {
  fail("'{}' object is not callable", type_name());
}

void Object::write_repr(Runtime&, TextBuilder& out) {
  out.append("<", false);
  out.append(type_name(), false);
  out.append(" object>", false);
}

}  // namespace glint::jinja
