// SPDX-License-Identifier: Apache-2.0
// Counts what one training step sends between four ranks on an O96 grid over a level-5 icosphere,
// from the plans alone, against gathering all sources and summing all their gradients.
#include <askos/comm/communicator.hpp>
#include <askos/model/graph_builders.hpp>
#include <askos/model/graph_plan.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <thread>
#include <vector>

namespace askos::model {
namespace {

constexpr int kRanks = 4;
constexpr int kLayers = 16;
constexpr std::int64_t kChannels = 1024;
constexpr std::int64_t kInputs = 2 * 100 + 12;  // two steps of 100 variables, position, trainables
constexpr std::int64_t kBytes = 4;              // float32
constexpr double kLimit = 0.35;

/// Latitude i = 1 ... 2 n from the north of a Gaussian grid, in radians: roots of the Legendre
/// polynomial of degree 2 n by Newton's method (Press et al., Numerical Recipes, section 4.6).
double gaussian_latitude(int i, int n) {
  const int degree = 2 * n;
  double z = std::cos(std::numbers::pi * (i - 0.25) / (degree + 0.5));
  for (int iteration = 0; iteration < 20; ++iteration) {
    double p = 1;
    double before = 0;
    for (int k = 1; k <= degree; ++k) {
      const double older = before;
      before = p;
      p = ((2 * k - 1) * z * before - (k - 1) * older) / k;
    }
    z -= p * (z * z - 1) / (degree * (z * p - before));
  }
  return std::asin(z);
}

/// The octahedral reduced Gaussian grid O`n`: 4 i + 16 points on the i-th circle from a pole.
Nodes octahedral_grid(int n) {
  Nodes nodes;
  for (int i = 1; i <= 2 * n; ++i) {
    const int count = 4 * std::min(i, 2 * n + 1 - i) + 16;
    for (int j = 0; j < count; ++j) {
      nodes.lat.push_back(gaussian_latitude(i, n));
      nodes.lon.push_back(2 * std::numbers::pi * j / count);
    }
  }
  return nodes;
}

/// Rows of sources that ranks receive from others, summed over ranks.
struct HaloRows {
  std::int64_t encoder = 0;
  std::int64_t processor = 0;
  std::int64_t decoder = 0;
};

HaloRows count_rows(const Graph& graph) {
  auto group = comm::make_local_group(kRanks);
  std::vector<HaloRows> rows(kRanks);
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < kRanks; ++r) {
    threads.emplace_back([&, r] {
      const GraphPlan plan = make_graph_plan(graph, *group[r]);
      rows[r] = {plan.encoder.halo.num_halo, plan.processor.halo.num_halo,
                 plan.decoder.halo.num_halo};
    });
  }
  for (auto& thread : threads) thread.join();
  HaloRows sum;
  for (const auto& of_rank : rows) {
    sum.encoder += of_rank.encoder;
    sum.processor += of_rank.processor;
    sum.decoder += of_rank.decoder;
  }
  return sum;
}

/// Prints one part and adds it to the totals. Halo rows go there and their gradients come back; the
/// other way gathers all `num_sources` rows on every rank and sums as many gradients over all in
/// float32 (by a ring: each rank sends 2 (P - 1) / P of the whole).
void add(const char* part,
         std::int64_t halo,
         std::int64_t num_sources,
         std::int64_t width,
         double& ours,
         double& theirs) {
  const auto bytes = static_cast<double>(width * kBytes);
  const double mine = 2 * static_cast<double>(halo) * bytes;
  const double whole = 3.0 * (kRanks - 1) * static_cast<double>(num_sources) * bytes;
  std::printf("%-10s %8lld of %8lld rows   %9.2f MiB   %9.2f MiB   %.3f\n", part,
              static_cast<long long>(halo), static_cast<long long>((kRanks - 1) * num_sources),
              mine / (1 << 20), whole / (1 << 20), mine / whole);
  ours += mine;
  theirs += whole;
}

int main() {
  const Graph graph = global_graph(octahedral_grid(96), {.level = 5});
  const HaloRows rows = count_rows(graph);
  const std::int64_t num_data = graph.data.size();
  const std::int64_t num_hidden = graph.hidden.size();
  std::printf("%d ranks, %lld data and %lld hidden nodes, %lld channels, %d layers\n", kRanks,
              static_cast<long long>(num_data), static_cast<long long>(num_hidden),
              static_cast<long long>(kChannels), kLayers);
  std::printf("part       halo of all-gather rows           halos    gather and sum   ratio\n");
  double ours = 0;
  double theirs = 0;
  add("encoder", rows.encoder, num_data, kInputs, ours, theirs);
  add("processor", kLayers * rows.processor, kLayers * num_hidden, kChannels, ours, theirs);
  add("decoder", rows.decoder, num_hidden, kChannels, ours, theirs);
  std::printf("a step sends %.2f MiB instead of %.2f MiB: %.3f (limit %.2f)\n", ours / (1 << 20),
              theirs / (1 << 20), ours / theirs, kLimit);
  return ours <= kLimit * theirs ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace askos::model

int main() {
  return askos::model::main();
}
