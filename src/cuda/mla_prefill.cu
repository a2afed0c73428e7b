// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_prefill.h"

namespace glint::cuda {
bool mla_prefill_supports(int, int, int) {
  return false;
}
void mla_prefill(const Stream&, const MlaPrefill&) {}
}  // namespace glint::cuda
