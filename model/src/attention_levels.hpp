// SPDX-License-Identifier: Apache-2.0
// The same loops, compiled once per instruction set; float64 for any processor only.
#pragma once

#include "attention_kernels.hpp"

namespace askos::model {

const AttentionKernels<float>& portable_attention(float storage);
const AttentionKernels<double>& portable_attention(double storage);
const AttentionKernels<Bfloat16>& portable_attention(Bfloat16 storage);

#if defined(ASKOS_X86_VECTORS)
const AttentionKernels<float>& avx2_attention(float storage);
const AttentionKernels<Bfloat16>& avx2_attention(Bfloat16 storage);

const AttentionKernels<float>& avx512_attention(float storage);
const AttentionKernels<Bfloat16>& avx512_attention(Bfloat16 storage);
#endif

}  // namespace askos::model
