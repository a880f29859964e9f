// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace askos::model {

struct EdgeIndex;

/// What graph attention reads. Floating point, one dtype; the last axis is contiguous. Numbers of
/// 16 bits are turned into float32 first.
struct AttentionInput {
  at::Tensor query;        ///< [batch, destination, head * channel]
  at::Tensor key;          ///< [batch, source, head * channel]
  at::Tensor value;        ///< [batch, source, head * channel]
  at::Tensor edge;         ///< [edge, feature], shared by the batch, sorted by destination
  at::Tensor edge_weight;  ///< [head * channel, feature], projects edge features
  at::Tensor edge_bias;    ///< [head * channel]
  int num_heads = 1;
};

/// Attends over the edges into each destination, per head of `c` channels:
///
///   e   = edge_weight a + edge_bias                     (one per edge and head)
///   s   = query . (key + e) / sqrt(c)
///   out = sum over edges of softmax(s) (value + e);  0 for a destination without edges
///
/// Returns [batch, destination, head * channel]. Differentiable in all tensors of the input.
///
/// This one never forms `e` per edge: both places where it enters are linear, so the projection
/// moves to the destination (kept per edge and head: the weight of the softmax). Sums run in a
/// fixed order, whatever the number of threads.
[[nodiscard]] at::Tensor attention(const AttentionInput& input, const EdgeIndex& index);

/// The same from LibTorch operations, `e` formed for every edge. Slow; the oracle of all others.
[[nodiscard]] at::Tensor composite_attention(const AttentionInput& input, const EdgeIndex& index);

}  // namespace askos::model
