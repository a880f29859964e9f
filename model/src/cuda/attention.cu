// SPDX-License-Identifier: Apache-2.0
#include "attention.hpp"
#include "backward_weights.cuh"
#include "kernel_arguments.cuh"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <type_traits>

namespace askos::model::cuda {

__global__ void sum_weight_parts(const float* parts,
                                 int num_parts,
                                 int num_channels,
                                 int num_features,
                                 float* grad_weight,
                                 float* grad_bias,
                                 bool add) {
  __shared__ float sums[kWarps][32];
  const int columns = num_features + 1;
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t size = static_cast<std::int64_t>(num_channels) * columns;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * 32 + lane;
  float sum = 0;
  if (at < size) {
#pragma unroll 8
    for (int p = warp; p < num_parts; p += kWarps) sum += __ldg(parts + p * size + at);
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || at >= size) return;
  for (int w = 1; w < kWarps; ++w) sum += sums[w][lane];
  const std::int64_t channel = at / columns;
  const auto feature = static_cast<int>(at % columns);
  float* to = feature < num_features ? grad_weight : grad_bias;
  if (to == nullptr) return;
  to += feature < num_features ? channel * num_features + feature : channel;
  *to = add ? *to + sum : sum;
}

namespace {

constexpr std::size_t kAlignment = 256;

std::size_t aligned_bytes(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t handed_bytes(const AttentionShape& shape, const DeviceEdges& edges) {
  return aligned_bytes(edges.num_edges * shape.num_heads *
                       static_cast<std::int64_t>(sizeof(float2)));
}
std::size_t mean_bytes(const AttentionShape& shape, const DeviceEdges& edges) {
  return aligned_bytes(std::int64_t{4} * edges.num_destinations * shape.num_heads *
                       shape.num_features);
}
std::size_t part_bytes(const AttentionShape& shape, const DeviceEdges& edges) {
  const int in_tiles = num_parts(edges.num_destinations);
  const int most = fit_bundles(shape) ? std::max(in_tiles, num_bundle_parts(edges)) : in_tiles;
  return aligned_bytes(std::int64_t{4} * most * shape.num_heads * shape.head_size *
                       (shape.num_features + 1));
}
std::size_t prepared_feature_bytes(const DeviceEdges& edges) {
  return aligned_bytes(num_prepared_feature_words(edges.num_edges) *
                       static_cast<std::int64_t>(sizeof(uint4)));
}
/// What a pass over destinations has for itself: in tiles or in bundles, never both.
std::size_t pass_bytes(const AttentionShape& shape, const DeviceEdges& edges) {
  const std::size_t tiles = 2 * mean_bytes(shape, edges);
  if (!fit_bundles(shape)) return tiles;
  const std::int64_t feature_parts =
      std::int64_t{4} * num_feature_parts(shape.num_heads) * edges.num_edges * shape.num_features;
  return std::max(tiles, prepared_feature_bytes(edges) + aligned_bytes(feature_parts));
}

/// Whether the rows' strides fit the 32 bits that bundles have for them, in bytes.
bool strides_fit(std::initializer_list<ConstRows> tables) {
  return std::all_of(tables.begin(), tables.end(),
                     [](const ConstRows& rows) { return rows.row_stride < std::int64_t{1} << 30; });
}

/// Whether all rows of all members start at multiples of 16 bytes and consist of such words.
template <typename T>
bool rows_aligned(int head_size, std::initializer_list<ConstRows> tables) {
  const std::int64_t word = 16 / static_cast<std::int64_t>(sizeof(T));
  for (const auto& rows : tables)
    if (reinterpret_cast<std::uintptr_t>(rows.data) % 16 != 0 || rows.row_stride % word != 0 ||
        rows.batch_stride % word != 0)
      return false;
  return head_size % 8 == 0;
}

ConstRows as_const(const MutableRows& rows) {
  return {rows.data, rows.row_stride, rows.batch_stride};
}

template <typename T>
Rows<const T> member(const ConstRows& rows, int batch) {
  return {static_cast<const T*>(rows.data) + batch * rows.batch_stride, rows.row_stride};
}
template <typename T>
Rows<T> member(const MutableRows& rows, int batch) {
  return {static_cast<T*>(rows.data) + batch * rows.batch_stride, rows.row_stride};
}

template <typename T, typename Call>
void fill(Tables<T>& t,
          const AttentionShape& shape,
          const DeviceEdges& edges,
          const Call& call,
          const float* softmax,
          int batch) {
  t.heads = {shape.num_heads, shape.head_size, shape.num_features,
             1.F / std::sqrt(static_cast<float>(shape.head_size))};
  t.graph = edges;
  t.edges = call.edges;
  t.query = member<T>(call.query, batch);
  t.key = member<T>(call.key, batch);
  t.value = member<T>(call.value, batch);
  t.softmax = reinterpret_cast<float2*>(const_cast<float*>(softmax)) +
              std::int64_t{batch} * edges.num_destinations * shape.num_heads;
}

template <typename T>
cudaError_t forward_of(const AttentionShape& shape,
                       const DeviceEdges& edges,
                       const Forward& call,
                       cudaStream_t stream) {
  const bool aligned = call.workspace != nullptr &&
                       rows_aligned<T>(shape.head_size, {call.query, call.key, call.value,
                                                         call.added, as_const(call.out)});
  for (int batch = 0; batch < shape.num_batches; ++batch) {
    ForwardTables<T> t{};
    fill<T>(t, shape, edges, call, call.softmax, batch);
    if (call.added.data != nullptr) t.added = member<T>(call.added, batch);
    t.out = member<T>(call.out, batch);
    t.prepared = static_cast<uint4*>(call.workspace);
    if (const auto error = launch_forward<T>(t, aligned, stream); error != cudaSuccess)
      return error;
  }
  return cudaSuccess;
}

template <typename T>
cudaError_t destinations_of(const BackwardTables<T>& t,
                            bool aligned,
                            bool in_bundles,
                            cudaStream_t stream) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    if (in_bundles) return launch_backward_bundles(t, stream);
  }
  return launch_backward_destinations<T>(t, aligned, stream);
}

template <typename T>
cudaError_t backward_of(const AttentionShape& shape,
                        const DeviceEdges& edges,
                        const Backward& call,
                        cudaStream_t stream) {
  const bool aligned = rows_aligned<T>(
      shape.head_size, {call.query, call.key, call.value, call.grad_out, as_const(call.grad_query),
                        as_const(call.grad_key), as_const(call.grad_value)});
  const bool in_bundles = aligned && fit_bundles(shape) &&
                          strides_fit({call.query, call.key, call.value, call.grad_out});
  auto* workspace = static_cast<unsigned char*>(call.workspace);
  auto* pass = workspace + handed_bytes(shape, edges);
  auto* parts = pass + pass_bytes(shape, edges);
  auto* prepared = parts + part_bytes(shape, edges);
  const bool weights = call.grad_weight != nullptr || call.grad_bias != nullptr;
  for (int batch = 0; batch < shape.num_batches; ++batch) {
    BackwardTables<T> t;
    fill<T>(t, shape, edges, call, call.softmax, batch);
    t.grad_out = member<T>(call.grad_out, batch);
    t.grad_query = member<T>(call.grad_query, batch);
    t.grad_key = member<T>(call.grad_key, batch);
    t.grad_value = member<T>(call.grad_value, batch);
    t.handed = reinterpret_cast<float2*>(workspace);
    t.mean_features = reinterpret_cast<float*>(pass);
    t.grad_means = reinterpret_cast<float*>(pass + mean_bytes(shape, edges));
    t.prepared_features = reinterpret_cast<uint4*>(pass);
    t.weight_parts = weights ? reinterpret_cast<float*>(parts) : nullptr;
    t.prepared = reinterpret_cast<uint4*>(prepared);
    t.grad_features = shape.num_features > 0 ? call.grad_features : nullptr;
    t.feature_parts = t.grad_features != nullptr
                          ? reinterpret_cast<float*>(pass + prepared_feature_bytes(edges))
                          : nullptr;
    t.add_grad_features = batch > 0;
    if (const auto error = destinations_of(t, aligned, in_bundles, stream); error != cudaSuccess)
      return error;
    if (const auto error = launch_backward_sources<T>(t, aligned, stream); error != cudaSuccess)
      return error;
    if (!weights) continue;
    const int channels = shape.num_heads * shape.head_size;
    const int sums = channels * (shape.num_features + 1);
    sum_weight_parts<<<(sums + 31) / 32, kThreads, 0, stream>>>(
        t.weight_parts, in_bundles ? num_bundle_parts(edges) : num_parts(edges.num_destinations),
        channels, shape.num_features, call.grad_weight, call.grad_bias, batch > 0);
    if (const auto launched = cudaGetLastError(); launched != cudaSuccess) return launched;
  }
  return cudaSuccess;
}

}  // namespace

bool takes(const AttentionShape& shape) {
  return shape.num_batches > 0 && shape.num_heads > 0 && shape.num_heads <= 65535 &&
         shape.head_size > 0 && shape.head_size <= kMaxHeadSize && shape.num_features >= 0 &&
         shape.num_features <= kMaxFeatures;
}

std::size_t forward_workspace(const AttentionShape& shape) {
  return kPreparedBytesPerHead * shape.num_heads;
}

std::size_t backward_workspace(const AttentionShape& shape, const DeviceEdges& edges) {
  return handed_bytes(shape, edges) + pass_bytes(shape, edges) + part_bytes(shape, edges) +
         forward_workspace(shape);
}

cudaError_t attention_forward(const AttentionShape& shape,
                              const DeviceEdges& edges,
                              const Forward& forward,
                              cudaStream_t stream) {
  if (!takes(shape) || edges.num_edges >= (std::int64_t{1} << 31)) return cudaErrorInvalidValue;
  switch (shape.element) {
    case Element::kFloat32: return forward_of<float>(shape, edges, forward, stream);
    case Element::kBfloat16: return forward_of<__nv_bfloat16>(shape, edges, forward, stream);
    case Element::kFloat16: return forward_of<__half>(shape, edges, forward, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t attention_backward(const AttentionShape& shape,
                               const DeviceEdges& edges,
                               const Backward& backward,
                               cudaStream_t stream) {
  if (!takes(shape) || edges.num_edges >= (std::int64_t{1} << 31)) return cudaErrorInvalidValue;
  switch (shape.element) {
    case Element::kFloat32: return backward_of<float>(shape, edges, backward, stream);
    case Element::kBfloat16: return backward_of<__nv_bfloat16>(shape, edges, backward, stream);
    case Element::kFloat16: return backward_of<__half>(shape, edges, backward, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace askos::model::cuda
