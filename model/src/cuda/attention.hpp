// SPDX-License-Identifier: Apache-2.0
// Graph attention on a CUDA device: the formulas of ../attention_kernels.hpp over device memory.
//
// Needs neither LibTorch nor a plan: pointers to device memory and a stream. All calls return at
// once; nothing is allocated, sorted, copied to the host or waited for, so they can be captured in
// a CUDA graph. Each result is written by one thread in a fixed order of sums: runs repeat bit by
// bit.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace askos::model::cuda {

/// What queries, keys, values, results and their gradients are stored as. Edge features, weights
/// and all sums are float32.
enum class Element : std::uint8_t { kFloat32, kBfloat16, kFloat16 };

inline constexpr int kMaxHeadSize = 128;
inline constexpr int kMaxFeatures = 31;

struct AttentionShape {
  Element element = Element::kFloat32;
  int num_batches = 1;  ///< members that share the edges
  int num_heads = 1;
  int head_size = 1;     ///< channels per head, 1 to kMaxHeadSize
  int num_features = 0;  ///< per edge, 0 to kMaxFeatures
};

/// Rows of heads * channels elements; strides count elements. The last axis is contiguous.
struct ConstRows {
  const void* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t batch_stride = 0;
};
struct MutableRows {
  void* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t batch_stride = 0;
};

/// Edges sorted by destination, and listed by source for the backward pass; int32 in device memory.
struct DeviceEdges {
  int num_sources = 0;
  int num_destinations = 0;
  std::int64_t num_edges = 0;                ///< below 2^31
  const int* sources = nullptr;              ///< [edge]
  const int* destination_offsets = nullptr;  ///< [destination + 1]: edges into i
  const int* source_offsets = nullptr;       ///< [source + 1], into the next two
  const int* source_edges = nullptr;         ///< [edge]: edge numbers by source, rising
  const int* source_destinations = nullptr;  ///< [edge]: where those edges lead
};

/// Per edge `features` a and their projection W a + b.
struct EdgeProjection {
  const float* features = nullptr;  ///< [edge, feature]
  const float* weight = nullptr;    ///< [head * channel, feature]
  const float* bias = nullptr;      ///< [head * channel]; null: none
};

struct Forward {
  ConstRows query;  ///< [batch, destination, head * channel]
  ConstRows key;    ///< [batch, source, head * channel]
  ConstRows value;  ///< like key
  EdgeProjection edges;
  ConstRows added = {};       ///< like query, added to the result; no data: nothing
  MutableRows out;            ///< like query
  float* softmax = nullptr;   ///< [batch, destination, head, 2]: largest logit, sum of exponentials
  void* workspace = nullptr;  ///< `forward_workspace` bytes, aligned to 256; null: slower
};

struct Backward {
  ConstRows query;
  ConstRows key;
  ConstRows value;
  EdgeProjection edges;
  const float* softmax = nullptr;  ///< as forward wrote it
  ConstRows grad_out;
  MutableRows grad_query;
  MutableRows grad_key;
  MutableRows grad_value;
  float* grad_features = nullptr;  ///< [edge, feature], summed over the batch; null: not wanted
  float* grad_weight = nullptr;    ///< [head * channel, feature]; null: not wanted
  float* grad_bias = nullptr;      ///< [head * channel]; null: not wanted
  /// `backward_workspace` bytes, aligned to 256. Starts with pairs [edge, head, 2] of the last
  /// member: weight of the softmax, gradient of the logit.
  void* workspace = nullptr;
};

/// Whether the kernels take `shape`; what they do not take goes through LibTorch's operations.
[[nodiscard]] bool takes(const AttentionShape& shape);

/// Bytes that `attention_forward` needs for a while.
[[nodiscard]] std::size_t forward_workspace(const AttentionShape& shape);

/// Bytes that `attention_backward` needs for a while.
[[nodiscard]] std::size_t backward_workspace(const AttentionShape& shape, const DeviceEdges& edges);

/// Starts out = attention. Returns cudaErrorInvalidValue for what `takes` denies.
[[nodiscard]] cudaError_t attention_forward(const AttentionShape& shape,
                                            const DeviceEdges& edges,
                                            const Forward& forward,
                                            cudaStream_t stream);

/// Starts all gradients of `attention_forward`; results are written, not added to.
[[nodiscard]] cudaError_t attention_backward(const AttentionShape& shape,
                                             const DeviceEdges& edges,
                                             const Backward& backward,
                                             cudaStream_t stream);

}  // namespace askos::model::cuda
