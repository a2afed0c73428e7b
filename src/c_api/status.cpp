// SPDX-License-Identifier: Apache-2.0
#include "c_api/status.h"

#include <new>

#include "engine/request.h"

namespace glint::c_api {
namespace {

thread_local std::string last_error;

glint_status status_of(RequestError::Kind kind) {
  switch (kind) {
    case RequestError::Kind::kInvalid: return GLINT_ERROR_INVALID;
    case RequestError::Kind::kContextLength: return GLINT_ERROR_CONTEXT_LENGTH;
    case RequestError::Kind::kQueueFull: return GLINT_ERROR_QUEUE_FULL;
    case RequestError::Kind::kShutDown: return GLINT_ERROR_SHUT_DOWN;
  }
  return GLINT_ERROR_INTERNAL;
}

glint_status remember(glint_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

}  // namespace

glint_status report_exception(glint_status of_error) noexcept {
  try {
    throw;
  } catch (const StatusError& error) {
    return remember(error.status(), error.what());
  } catch (const RequestError& error) {
    return remember(status_of(error.kind()), error.what());
  } catch (const Error& error) {
    return remember(of_error, error.what());
  } catch (const std::bad_alloc&) {
    return remember(GLINT_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return remember(GLINT_ERROR_INTERNAL, error.what());
  } catch (...) {
    return remember(GLINT_ERROR_INTERNAL, "an exception of no known kind");
  }
}

}  // namespace glint::c_api

extern "C" const char* glint_last_error(void) { return glint::c_api::last_error.c_str(); }
