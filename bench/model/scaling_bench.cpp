// SPDX-License-Identifier: Apache-2.0
// Models how long a training step takes on many GPUs that share one model: what one GPU was
// measured to take for two sizes, and what each rank's halos and gradients put on the wire, counted
// from the graph. The counts are checked against the plans of four ranks on a small graph first.
//
//   scaling_bench [--latency MICROSECONDS]
//
// Measured: steps of device_step_bench on an H200 (docs/benchmarks.md), of which the part that
// grows with the rows is shared and the rest is not. Assumed: eight GPUs a node with 450 GB/s to
// each other, 50 GB/s from a GPU to other nodes, halos in bfloat16, gradients in float32 by a ring.
// The real time lies between all communication exposed and all hidden that compute is long enough
// for: gradients behind backward, halos of the processor behind a third of the layer.
#include "model/step_cases.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/comm/partition.hpp>
#include <askos/model/graph_plan.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace askos::model::bench {
namespace {

constexpr double kWithinNode = 450e9;   // bytes per second from one GPU
constexpr double kBetweenNodes = 50e9;  // the same
constexpr int kGpusPerNode = 8;
constexpr double kHaloBytes = 2;      // of a channel
constexpr double kGradientBytes = 4;  // of a parameter
/// Milliseconds on one GPU, bfloat16.
constexpr double kO96 = 46.3;
constexpr double kN320 = 248;

/// Rows that each rank reads from others, if nodes are cut into contiguous shards.
std::vector<std::int64_t> halos(const Edges& edges, int num_ranks) {
  std::vector<std::vector<std::int64_t>> read(static_cast<std::size_t>(num_ranks));
  std::vector<std::size_t> owners;
  for (std::size_t rank = 0; rank < read.size(); ++rank) {
    const auto own =
        comm::balanced_range(edges.num_destinations, num_ranks, static_cast<int>(rank));
    owners.insert(owners.end(), static_cast<std::size_t>(own.size()), rank);
  }
  for (std::size_t e = 0; e < edges.src.size(); ++e) {
    read[owners[static_cast<std::size_t>(edges.dst[e])]].push_back(edges.src[e]);
  }
  std::vector<std::int64_t> counts;
  for (std::size_t rank = 0; rank < read.size(); ++rank) {
    auto& sources = read[rank];
    std::ranges::sort(sources);
    sources.erase(std::ranges::unique(sources).begin(), sources.end());
    const auto own = comm::balanced_range(edges.num_sources, num_ranks, static_cast<int>(rank));
    counts.push_back(std::ranges::count_if(
        sources, [&](std::int64_t source) { return source < own.begin || source >= own.end; }));
  }
  return counts;
}

std::int64_t largest_halo(const Edges& edges, int num_ranks) {
  return std::ranges::max(halos(edges, num_ranks));
}

/// Whether the plans of four ranks have the halos that are counted here.
bool check() {
  constexpr int kRanks = 4;
  const Graph graph = graph_of(step_case("o32"));
  const auto encoder = halos(graph.data_to_hidden, kRanks);
  const auto processor = halos(graph.hidden_to_hidden, kRanks);
  const auto decoder = halos(graph.hidden_to_data, kRanks);
  const auto group = comm::make_local_group(kRanks);
  std::vector<char> same(kRanks);
  std::vector<std::jthread> threads;
  for (std::size_t r = 0; r < kRanks; ++r) {
    threads.emplace_back([&, r] {
      const GraphPlan plan = make_graph_plan(graph, *group[r]);
      same[r] = plan.encoder.halo.num_halo == encoder[r] &&
                plan.processor.halo.num_halo == processor[r] &&
                plan.decoder.halo.num_halo == decoder[r];
    });
  }
  threads.clear();
  return std::ranges::all_of(same, [](char is_same) { return is_same != 0; });
}

/// A step on one GPU takes `fixed` milliseconds and `per_row` for each row that a layer works on.
struct Fit {
  double fixed;
  double per_row;
};

/// A cell of the grid is as dear as two rows of a layer: its mapper's products and its embedding.
double num_rows(const StepCase& sizes, const Graph& graph) {
  return 2 * static_cast<double>(graph.data.size()) +
         sizes.layers * static_cast<double>(graph.hidden.size());
}

double num_parameters(const StepCase& sizes) {
  const double channels = sizes.channels;
  const double block = 13 * channels * channels;  // five projections, two of four times the width
  return (sizes.layers + 2) * block + 4 * sizes.variables * channels;
}

/// One rank's step, times in milliseconds.
struct Modelled {
  double compute = 0;
  double halo_megabytes = 0;  ///< of forward and backward
  double gradient_megabytes = 0;
  double least_exposed = 0;  ///< all hidden that compute is long enough for
  double most_exposed = 0;   ///< nothing hidden
};

Modelled model_step(
    const StepCase& sizes, const Graph& graph, const Fit& fit, int num_ranks, double latency) {
  const auto ranks = static_cast<double>(num_ranks);
  Modelled step = {.compute = fit.fixed + fit.per_row * num_rows(sizes, graph) / ranks};
  if (num_ranks == 1) return step;
  // The slowest rank has a neighbour in another node, if there are several.
  const double bytes_per_ms = (num_ranks > kGpusPerNode ? kBetweenNodes : kWithinNode) / 1e3;
  const auto halo_bytes = [&](const Edges& edges, double width) {
    return static_cast<double>(largest_halo(edges, num_ranks)) * width * kHaloBytes;
  };
  const double encoder = halo_bytes(graph.data_to_hidden, 2 * sizes.variables + 12);
  const double processor = halo_bytes(graph.hidden_to_hidden, sizes.channels);
  const double decoder = halo_bytes(graph.hidden_to_data, sizes.channels);
  const double gradients = 2 * (ranks - 1) / ranks * num_parameters(sizes) * kGradientBytes;
  step.halo_megabytes = 2 * (encoder + sizes.layers * processor + decoder) / 1e6;
  step.gradient_megabytes = gradients / 1e6;

  const double mappers = 2 * (2 * latency + (encoder + decoder) / bytes_per_ms);
  const double of_layer = latency + processor / bytes_per_ms;
  const double of_gradients = latency + gradients / bytes_per_ms;
  const double hides = fit.per_row * static_cast<double>(graph.hidden.size()) / ranks / 3;
  const double backward = step.compute * 2 / 3;
  step.most_exposed = mappers + 2 * sizes.layers * of_layer + of_gradients;
  step.least_exposed = mappers + 2 * sizes.layers * std::max(0.0, of_layer - hides) +
                       std::max(0.0, of_gradients - backward);
  return step;
}

void print_steps(const char* name, const Graph& graph, const Fit& fit, double latency) {
  double alone = 0;
  for (const int num_ranks : {1, 4, 16, 64}) {
    const Modelled step = model_step(step_case(name), graph, fit, num_ranks, latency);
    const double least = step.compute + step.least_exposed;
    const double most = step.compute + step.most_exposed;
    if (num_ranks == 1) alone = step.compute;
    std::printf("%-5s %4d  %8.1f  %8.1f %9.1f  %7.1f to %6.1f  %7.1f to %6.1f  %6.1f to %4.1f\n",
                name, num_ranks, step.compute, step.halo_megabytes, step.gradient_megabytes,
                step.least_exposed, step.most_exposed, least, most, alone / most, alone / least);
  }
}

int main(double latency) {
  if (!check()) {
    std::fprintf(stderr, "scaling_bench: halos counted here are not those of the plans\n");
    return EXIT_FAILURE;
  }
  const Graph o96 = graph_of(step_case("o96"));
  const Graph n320 = graph_of(step_case("n320"));
  const double small = num_rows(step_case("o96"), o96);
  const double large = num_rows(step_case("n320"), n320);
  const double per_row = (kN320 - kO96) / (large - small);
  const Fit fit = {kO96 - per_row * small, per_row};
  std::printf(
      "one GPU: %.1f ms and %.1f ns a row and layer; a collective waits %.0f us\n"
      "case  GPUs   compute  halos MB  grads MB   exposed ms         step ms            speedup\n",
      fit.fixed, 1e6 * fit.per_row, 1e3 * latency);
  print_steps("o96", o96, fit, latency);
  print_steps("n320", n320, fit, latency);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace askos::model::bench

int main(int argc, char** argv) {
  double microseconds = 30;
  if (argc == 3 && std::strcmp(argv[1], "--latency") == 0) {
    microseconds = std::atof(argv[2]);
  } else if (argc > 1) {
    std::fprintf(stderr, "usage: scaling_bench [--latency MICROSECONDS]\n");
    return 2;
  }
  return askos::model::bench::main(microseconds / 1e3);
}
