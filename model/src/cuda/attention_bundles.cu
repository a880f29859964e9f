// SPDX-License-Identifier: Apache-2.0
#include "bundle_backward.cuh"

namespace askos::model::cuda {
namespace {

unsigned blocks(std::int64_t items, int per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

cudaError_t prepare(const BackwardTables<__nv_bfloat16>& t, cudaStream_t stream) {
  prepare_bundle_projection<<<static_cast<unsigned>(t.heads.count), kThreads / 2, 0, stream>>>(
      t.heads, t.edges.weight, t.prepared);
  prepare_features<<<blocks((t.graph.num_edges + kGroupEdges) * 4, kThreads), kThreads, 0,
                     stream>>>(t.edges.features, t.heads.features, t.graph.num_edges,
                               t.prepared_features);
  return cudaGetLastError();
}

}  // namespace

int num_bundle_parts(const DeviceEdges& edges) {
  return num_bundle_parts(edges.num_destinations,
                          bundle_nodes(edges.num_destinations, edges.num_edges));
}

std::int64_t num_feature_parts(int num_heads) {
  return blocks(num_heads, kWarps);
}

std::int64_t num_prepared_feature_words(std::int64_t num_edges) {
  return (num_edges + kGroupEdges) * 4;
}

cudaError_t launch_backward_bundles(const BackwardTables<__nv_bfloat16>& t, cudaStream_t stream) {
  if (t.graph.num_destinations > 0) {
    if (const auto error = prepare(t, stream); error != cudaSuccess) return error;
    const auto parts = static_cast<unsigned>(num_bundle_parts(t.graph));
    const auto error =
        cudaFuncSetAttribute(backward_bundles, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(sizeof(BundleShared)));
    if (error != cudaSuccess) return error;
    backward_bundles<<<dim3(parts, blocks(t.heads.count, kWarps)), kThreads, sizeof(BundleShared),
                       stream>>>(t, bundle_nodes(t.graph.num_destinations, t.graph.num_edges));
  }
  const std::int64_t features = t.graph.num_edges * t.heads.features;
  if (t.feature_parts != nullptr && features > 0)
    sum_feature_parts<<<blocks(features, kThreads), kThreads, 0, stream>>>(
        t.feature_parts, static_cast<int>(num_feature_parts(t.heads.count)), features,
        t.grad_features, t.add_grad_features);
  return cudaGetLastError();
}

}  // namespace askos::model::cuda
