// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

struct EdgeIndex;

/// Edge features and their projection. Floating point; the loops read them in float32, or in
/// float64 where the rest is float64.
struct AttentionEdges {
  at::Tensor features;  ///< [edge, feature], shared by the batch, sorted by destination
  at::Tensor weight;    ///< [head * channel, feature], projects edge features
  at::Tensor bias;      ///< [head * channel]
};

/// What graph attention reads: float32, float64 or bfloat16, all alike (float16 is turned into
/// float32 first). The last axis is contiguous, other strides are free: parts of one projection
/// are read where they lie.
struct AttentionInput {
  at::Tensor query;  ///< [batch, destination, head * channel]
  at::Tensor key;    ///< [batch, source, head * channel]
  at::Tensor value;  ///< [batch, source, head * channel]
  AttentionEdges edges;
  int num_heads = 1;
};

/// Attends over the edges into each destination, per head of `c` channels:
///
///   e   = edges.weight a + edges.bias                   (one per edge and head)
///   s   = query . (key + e) / sqrt(c)
///   out = sum over edges of softmax(s) (value + e);  0 for a destination without edges
///
/// Returns [batch, destination, head * channel]. Differentiable in all tensors of the input.
///
/// This one never forms `e` per edge: both places where it enters are linear, so the projection
/// moves to the destination (kept per edge and head: the weight of the softmax). Sums are made in
/// float32 (float64 for float64) and in a fixed order, whatever the number of threads.
[[nodiscard]] at::Tensor attention(const AttentionInput& input, const EdgeIndex& index);

/// Projections of nodes side by side, as one matrix product gives them.
struct JoinedAttentionInput {
  /// [batch, destination, query | self] or, where the first sources are the destinations,
  /// [batch, destination, query | self | key | value]; each part has head * channel columns
  at::Tensor destinations;
  at::Tensor sources;  ///< [batch, source, key | value], undefined: those of `destinations`
  at::Tensor halo;     ///< [batch, source, key | value]: sources numbered behind; may be undefined
  AttentionEdges edges;
  int num_heads = 1;
};

/// Results that are there before the halo is.
struct StartedAttention {
  at::Tensor out;      ///< undefined: nothing was started
  at::Tensor weights;  ///< of the softmax, for backward
};

/// Attends at the interior destinations of `index`, which read no row of the halo; the halo of
/// `input` is not looked at. Records no gradient: `joined_attention` does, for all destinations.
[[nodiscard]] StartedAttention start_joined_attention(const JoinedAttentionInput& input,
                                                      const EdgeIndex& index);

/// Returns self + `attention`, reading each part and writing its gradient in place: nothing is
/// split, joined or copied. Goes on with what was `started` from the same input.
[[nodiscard]] at::Tensor joined_attention(const JoinedAttentionInput& input,
                                          const EdgeIndex& index,
                                          const StartedAttention& started = {});

/// `attention` from LibTorch operations, `e` formed for every edge. Slow; the oracle of all others.
[[nodiscard]] at::Tensor composite_attention(const AttentionInput& input, const EdgeIndex& index);

/// Returns `backend`, or what the environment variable ASKOS_ATTENTION (loops or composite) says
/// instead. Throws `Errc::kUsage` for any other value.
[[nodiscard]] AttentionBackend with_environment_attention(AttentionBackend backend);

}  // namespace askos::model
