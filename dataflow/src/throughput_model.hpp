// SPDX-License-Identifier: Apache-2.0
// Predicts how fast a graph goes if stages took other times or edges had other credit: an event
// simulation in which every firing of a stage takes the time that its firings took on average.
//
// A stage starts when its inputs have packets and its outputs have credit, and is done after its
// time; then it has sent its packets and given its inputs' credit back. What that leaves out:
// spread of times, waits for threads, and pauses of the outside world.
#pragma once

#include <askos/dataflow/graph.hpp>

#include <optional>
#include <vector>

namespace askos::dataflow {

class ThroughputModel {
 public:
  struct Edge {
    std::size_t from;
    std::size_t to;
    int made;
    int taken;
    int credit;
    int initial;
  };

  /// What to do about a stage at the end of the graph that gets packets at a rate that depends on
  /// the data: one that writes a checkpoint now and then.
  enum class Sides {
    kRefused,
    kLeftOut,  ///< it never fires in the model
  };

  /// `service` are seconds per firing by stage. Returns nothing if the graph has parts that no
  /// fixed rates describe: stages that fire on any input, data-dependent rates, edges that drop.
  [[nodiscard]] static std::optional<ThroughputModel> make(const Graph& graph,
                                                           std::vector<double> service,
                                                           Sides sides = Sides::kRefused);

  /// Tells whether an edge leads to a stage at the side, as above.
  [[nodiscard]] static bool is_side(const Graph::Edge& edge) noexcept;

  [[nodiscard]] std::vector<double>& service() noexcept { return service_; }
  [[nodiscard]] std::vector<Edge>& edges() noexcept { return edges_; }

  /// Firings per second of `measured_stage`, in the long run; 0 if the graph comes to a stop.
  [[nodiscard]] double firings_per_second() const;
  /// A stage that nobody waits for, if there is one: edges cannot hide how fast it gets packets.
  [[nodiscard]] std::size_t measured_stage() const noexcept { return measured_; }

 private:
  std::vector<double> service_;
  std::vector<Edge> edges_;
  std::size_t measured_ = 0;
};

}  // namespace askos::dataflow
