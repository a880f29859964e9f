// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace askos::model::cuda {

/// Edges sorted by destination, then source.
struct BenchmarkGraph {
  int num_sources = 0;
  int num_destinations = 0;
  std::vector<int> sources;
  std::vector<int> destinations;
};

inline constexpr const char* kBenchmarkGraphs[] = {
    "processor5", "processor6", "processor7", "encoder", "decoder", "knn12", "hubs"};

/// Makes one of `kBenchmarkGraphs`:
///   processorL  multi-scale icosphere of level L
///   encoder     reduced Gaussian grid N320 into the nodes of level 6 (cut-off 0.6)
///   decoder     level 6 back into N320 (3 nearest)
///   knn12       octahedral O96, 12 nearest
///   hubs        random; one destination with 50 000 edges, many without
/// Nodes are numbered along Hilbert's curve, or by latitude as meshes come.
/// Throws std::invalid_argument for another name.
[[nodiscard]] BenchmarkGraph make_benchmark_graph(const std::string& name, bool hilbert);

}  // namespace askos::model::cuda
