// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "blame_graph.hpp"

#include <askos/dataflow/why.hpp>

#include <optional>

namespace askos::dataflow {

/// An edge whose credit, or whose initial packets, hold the graph back.
struct ShortCredit {
  std::size_t stage;  ///< node of the blame graph that waits for it: producer, or consumer
  bool initial;       ///< packets to begin with are what it lacks
  std::string edge;
  int credit;
  int wanted;     ///< the least that would do
  double gain;    ///< that this would bring
  double waited;  ///< seconds that the stage waited for it
};

/// Looks for the edge that more credit would help most, if it helps enough to be worth telling.
[[nodiscard]] std::optional<ShortCredit> find_short_credit(const Plan& plan,
                                                           const BlameGraph& blame,
                                                           double window_s);

}  // namespace askos::dataflow
