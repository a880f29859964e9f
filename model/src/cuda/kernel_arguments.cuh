// SPDX-License-Identifier: Apache-2.0
// What the kernels read and write for one member of a batch, typed.
#pragma once

#include "attention.hpp"

#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace askos::model::cuda {

template <typename T>
struct Rows {
  T* data;
  std::int64_t stride;

  __device__ T* at(std::int64_t row) const { return data + row * stride; }
};

struct Heads {
  int count;
  int size;
  int features;
  float scale;  // 1 / sqrt(size)
};

inline constexpr int kBundleHeadSize = 64;
inline constexpr int kBundleFeatures = 15;

/// Whether the backward pass over destinations goes in bundles (bundle.cuh), if rows can be read in
/// words of 16 bytes.
inline bool fit_bundles(const AttentionShape& shape) {
  return shape.element == Element::kBfloat16 && shape.head_size == kBundleHeadSize &&
         shape.num_features <= kBundleFeatures;
}

template <typename T>
struct Tables {
  Heads heads;
  DeviceEdges graph;
  EdgeProjection edges;
  uint4* prepared;  // the edge projection for tensor cores, see prepared_projection.cuh
  Rows<const T> query;
  Rows<const T> key;
  Rows<const T> value;
  float2* softmax;  // [destination, head]
};

template <typename T>
struct ForwardTables : Tables<T> {
  Rows<const T> added;  // no data: nothing
  Rows<T> out;
};

template <typename T>
struct BackwardTables : Tables<T> {
  Rows<const T> grad_out;
  Rows<T> grad_query;
  Rows<T> grad_key;
  Rows<T> grad_value;
  float2* handed;  // [edge, head]: (w, ds), from the pass over destinations to that over sources
  float* mean_features;      // [destination, head, feature]: m; not for tensor cores
  float* grad_means;         // [destination, head, feature]: z; likewise
  uint4* prepared_features;  // for bundles, see bundle_preparation.cuh
  float* feature_parts;      // [eight heads, edge, feature], for bundles; null: not wanted
  float* weight_parts;       // [part, head * channel, feature + 1]: dW, then db; null: not wanted
  float* grad_features;      // [edge, feature]; null: not wanted
  bool add_grad_features;    // to what an earlier member of the batch left
};

/// Start the kernels for one element type; each has a source file of its own, for they are slow to
/// compile. `aligned`: rows can be read in words of 16 bytes.
template <typename T>
cudaError_t launch_forward(const ForwardTables<T>& tables, bool aligned, cudaStream_t stream);
template <typename T>
cudaError_t launch_backward_destinations(const BackwardTables<T>& tables,
                                         bool aligned,
                                         cudaStream_t stream);
template <typename T>
cudaError_t launch_backward_sources(const BackwardTables<T>& tables,
                                    bool aligned,
                                    cudaStream_t stream);

/// The pass over destinations for what `fit_bundles`.
cudaError_t launch_backward_bundles(const BackwardTables<__nv_bfloat16>& tables,
                                    cudaStream_t stream);

// How much the bundles' tables hold.
int num_bundle_parts(const DeviceEdges& edges);                   // of `weight_parts`
std::int64_t num_feature_parts(int num_heads);                    // of `feature_parts`
std::int64_t num_prepared_feature_words(std::int64_t num_edges);  // of `prepared_features`

}  // namespace askos::model::cuda
