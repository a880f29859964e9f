// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/metrics_log.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/actors/run.hpp>
#include <askos/dataflow/graph.hpp>

#include <functional>
#include <vector>

namespace askos::actors {

class StopGate;

/// Whether this process writes what a run has one of: the only one, or the one of rank 0.
[[nodiscard]] bool is_first(const ProcessPlace* place);

/// Does what may fail by input or environment: on all processes or, as far as they go on, on none.
void settle(const ProcessPlace* place, const std::function<void()>& step);

/// Runs a graph on each of `ranks` to its end and records in the metrics of the first process how
/// all of them spent their time. Throws the failure that ended it, with stage, rank and, if a rank
/// was lost, edge. `gate` may be null: then it cannot end early. Of several processes all call it.
void run_graphs(const std::vector<RankContext>& ranks,
                const std::function<dataflow::Graph(const RankContext&)>& make_graph,
                const RunHooks& hooks,
                MetricsLog& metrics,
                StopGate* gate);

}  // namespace askos::actors
