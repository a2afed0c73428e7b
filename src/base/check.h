// SPDX-License-Identifier: Apache-2.0
//
// Errors and invariants. Everything in glint that can go wrong goes through here.
//
//   Error          bad input: a file, flag, request or machine limit. The message names what was wrong, what was
//                  expected and what was found, and where it can the repair. Caught once, at the top of an app
//                  (one line, exit 1) or at the edge of a request (a JSON error).
//   GLINT_CHECK    a broken invariant of our own; always on, throws InternalError with the place.
//   GLINT_DCHECK   the same inside inner loops; compiled out with NDEBUG.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace glint {

/// Bad input. `what()` is one line meant for the user.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// A bug in glint: an invariant did not hold.
class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& message) : std::logic_error(message) {}
};

/// Throws Error with a formatted message: `fail("{}: tensor {} missing", path, name)`.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws InternalError; called by GLINT_CHECK.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace glint

#define GLINT_CHECK(condition) ((condition) ? (void)0 : ::glint::check_failed(#condition, __FILE__, __LINE__))
#ifdef NDEBUG
#define GLINT_DCHECK(condition) ((void)0)
#else
#define GLINT_DCHECK(condition) GLINT_CHECK(condition)
#endif
