// SPDX-License-Identifier: Apache-2.0
//
// Whether a test is built with a sanitizer, where all takes ten times as long: long tests then do less of the same.
#pragma once

namespace glint {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace glint
