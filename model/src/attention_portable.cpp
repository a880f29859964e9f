// SPDX-License-Identifier: Apache-2.0
// Compiled for any processor of its kind.
#include "attention_levels.hpp"
#include "attention_loops.hpp"

namespace askos::model {

const AttentionKernels<float>& portable_attention(float /*storage*/) {
  return kLoops<float>;
}
const AttentionKernels<double>& portable_attention(double /*storage*/) {
  return kLoops<double>;
}
const AttentionKernels<Bfloat16>& portable_attention(Bfloat16 /*storage*/) {
  return kLoops<Bfloat16>;
}

}  // namespace askos::model
