// SPDX-License-Identifier: Apache-2.0
//
// The border between C and C++: exceptions become statuses and a message of the thread, structs of any age become ours.
// Used by every function of the C API (include/glint/glint.h). Tested by tests/c_api.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string>

#include "base/check.h"
#include "glint/glint.h"

namespace glint::c_api {

/// An Error with a status of its own.
class StatusError : public Error {
 public:
  StatusError(glint_status status, const std::string& message) : Error(message), status_(status) {}
  glint_status status() const { return status_; }

 private:
  glint_status status_;
};

/// The status of the exception that is being handled, whose message glint_last_error() then gives. `of_error` is that of
/// an Error that says nothing else.
glint_status report_exception(glint_status of_error) noexcept;

/// The status that `function` returns, or of what it throws.
template <class Function>
glint_status guarded(glint_status of_error, Function&& function) noexcept {
  try {
    return function();
  } catch (...) {
    return report_exception(of_error);
  }
}

template <class T>
T& require(T* pointer, const char* name) {
  if (pointer == nullptr) fail("{} is NULL", name);
  return *pointer;
}

/// A struct of the client's as this library has it: what an older client does not know is zero, and what only a newer one
/// knows must be. PRECOND of T: no padding at its end, in which an older client could leave anything.
template <class T>
T adopt(const T* given, const char* name) {
  size_t size = 0;
  std::memcpy(&size, &require(given, name), sizeof size);  // what is there may be shorter than a T
  if (size < sizeof(size_t) || size > 64 * sizeof(T)) {
    fail("{}: size is {}; set it to sizeof of the struct", name, size);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof(T) && std::any_of(bytes + sizeof(T), bytes + size, [](unsigned char byte) { return byte != 0; })) {
    fail("{}: a field is set that this version of the library does not know", name);
  }
  T adopted{};
  std::memcpy(&adopted, given, std::min(size, sizeof(T)));
  adopted.size = sizeof(T);
  return adopted;
}

/// Copies what there is into a client's buffer, or says that it is too small.
template <class T>
glint_status give(const T* from, size_t n, size_t n_needed, T* buffer, size_t capacity) {
  if (capacity < n_needed) {
    throw StatusError(GLINT_ERROR_BUFFER, fmt::format("the buffer holds {} and {} are needed", capacity, n_needed));
  }
  require(buffer, "the buffer");
  if (n > 0) std::memcpy(buffer, from, n * sizeof(T));
  return GLINT_OK;
}

}  // namespace glint::c_api
