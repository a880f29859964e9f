// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "attention_levels.hpp"
#include "attention_loops.hpp"

namespace askos::model {

const AttentionKernels<float>& avx2_attention(float /*storage*/) {
  return kLoops<float>;
}
const AttentionKernels<Bfloat16>& avx2_attention(Bfloat16 /*storage*/) {
  return kLoops<Bfloat16>;
}

}  // namespace askos::model
