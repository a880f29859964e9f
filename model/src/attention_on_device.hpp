// SPDX-License-Identifier: Apache-2.0
// `attention` and `joined_attention` of tensors on a CUDA device. A build without CUDA has no such
// tensors.
#pragma once

#include <askos/model/attention.hpp>
#include <askos/model/graph_plan.hpp>

namespace askos::model {

[[nodiscard]] at::Tensor attention_on_device(const AttentionInput& input, const EdgeIndex& index);

[[nodiscard]] at::Tensor joined_attention_on_device(const JoinedAttentionInput& input,
                                                    const EdgeIndex& index);

}  // namespace askos::model
