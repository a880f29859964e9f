// SPDX-License-Identifier: Apache-2.0
// Chooses a kernel's layout by head size and features. One .cu file per element type includes this.
#pragma once

#include "backward_destinations.cuh"
#include "backward_sources.cuh"
#include "backward_weights.cuh"
#include "forward.cuh"

namespace askos::model::cuda {

/// Calls `launch(Layout{})` with the narrowest layout that has room for a head and for one feature
/// more than there are, see `weight_parts`.
template <bool Aligned, int Lanes, typename Launch>
cudaError_t with_lanes(int num_features, Launch launch) {
  if (Aligned && num_features < 16) return launch(Layout<Lanes, 16 / Lanes, Aligned>{});
  return launch(Layout<Lanes, (kMaxFeatures + 1) / Lanes, Aligned>{});
}

template <bool Aligned, typename Launch>
cudaError_t with_layout(const Heads& heads, Launch launch) {
  if (heads.size <= 16) return with_lanes<Aligned, 2>(heads.features, launch);
  if (heads.size <= 32) return with_lanes<Aligned, 4>(heads.features, launch);
  if (heads.size <= 64) return with_lanes<Aligned, 8>(heads.features, launch);
  return with_lanes<Aligned, 16>(heads.features, launch);
}

template <typename Launch>
cudaError_t with_layout(const Heads& heads, bool aligned, Launch launch) {
  return aligned ? with_layout<true>(heads, launch) : with_layout<false>(heads, launch);
}

template <typename Kernel, typename Tables>
cudaError_t launch(
    Kernel kernel, dim3 grid, std::size_t shared, cudaStream_t stream, const Tables& t) {
  if (grid.x == 0 || grid.y == 0) return cudaSuccess;
  if (shared > 48 * 1024) {
    const auto error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(shared));
    if (error != cudaSuccess) return error;
  }
  kernel<<<grid, kThreads, shared, stream>>>(t);
  return cudaGetLastError();
}

template <typename T, typename L>
cudaError_t prepare(const Tables<T>& t, cudaStream_t stream) {
  if constexpr (kOnTensorCores<T, L>) {
    prepare_projection<L><<<static_cast<unsigned>(t.heads.count), kThreads, 0, stream>>>(
        t.heads, t.edges.weight, t.prepared);
  }
  return cudaGetLastError();
}

inline unsigned blocks(std::int64_t items, int per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

template <typename T>
cudaError_t launch_forward(const ForwardTables<T>& t, bool aligned, cudaStream_t stream) {
  return with_layout(t.heads, aligned, [&](auto layout) {
    using L = decltype(layout);
    if (const auto prepared = prepare<T, L>(t, stream); prepared != cudaSuccess) return prepared;
    return launch(
        attend<T, L>,
        dim3(blocks(t.graph.num_destinations, kTileRows), blocks(t.heads.count, L::kHeads)),
        sizeof(ForwardShared<L>), stream, t);
  });
}

template <typename T>
cudaError_t launch_backward_destinations(const BackwardTables<T>& t,
                                         bool aligned,
                                         cudaStream_t stream) {
  const auto parts = static_cast<unsigned>(num_parts(t.graph.num_destinations));
  const auto error = with_layout(t.heads, aligned, [&](auto layout) {
    using L = decltype(layout);
    if (const auto prepared = prepare<T, L>(t, stream); prepared != cudaSuccess) return prepared;
    const unsigned groups = blocks(t.heads.count, L::kHeads);
    return launch(backward_destinations<T, L>, dim3(parts, t.grad_features != nullptr ? 1 : groups),
                  kBackwardShared<T, L>, stream, t);
  });
  const bool on_tensor_cores = sizeof(T) == 2 && aligned;  // then the weights are done
  if (error != cudaSuccess || t.weight_parts == nullptr || on_tensor_cores) return error;
  return launch(backward_weights<T>, dim3(parts, static_cast<unsigned>(t.heads.count)), 0, stream,
                t);
}

template <typename T>
cudaError_t launch_backward_sources(const BackwardTables<T>& t, bool aligned, cudaStream_t stream) {
  return with_layout(t.heads, aligned, [&](auto layout) {
    using L = decltype(layout);
    return launch(backward_sources<T, L>,
                  dim3(blocks(t.graph.num_sources, kWarps), blocks(t.heads.count, L::kHeads)), 0,
                  stream, t);
  });
}

}  // namespace askos::model::cuda
