// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::model {

/// Says once in the log that attention runs without its CUDA kernels, and for what shape. Apart,
/// for LibTorch's headers and the log's do not go into one file.
void note_attention_without_kernels(const char* dtype, int head_size, int num_features);

}  // namespace askos::model
