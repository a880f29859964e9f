// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 (F, BW, DQ, VL).
#include "attention_levels.hpp"
#include "attention_loops.hpp"

namespace askos::model {

const AttentionKernels<float>& avx512_attention(float /*storage*/) {
  return kLoops<float>;
}
const AttentionKernels<Bfloat16>& avx512_attention(Bfloat16 /*storage*/) {
  return kLoops<Bfloat16>;
}

}  // namespace askos::model
