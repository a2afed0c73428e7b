// SPDX-License-Identifier: Apache-2.0
//
// The demo model inside the binary: `glint run` works before anything is downloaded. The assembler includes the file
// (models/glint-demo.gguf), which costs no compile time; see models/README.md for what it is.
#include "apps/model_options.h"

#ifdef GLINT_DEMO_MODEL
__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    "glint_demo_begin:\n"
    ".incbin \"" GLINT_DEMO_MODEL "\"\n"
    "glint_demo_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const std::byte glint_demo_begin[];
extern "C" const std::byte glint_demo_end[];
#endif

namespace glint::app {

std::span<const std::byte> embedded_model() {
#ifdef GLINT_DEMO_MODEL
  return {glint_demo_begin, glint_demo_end};
#else
  return {};
#endif
}

}  // namespace glint::app
