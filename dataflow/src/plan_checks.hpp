// SPDX-License-Identifier: Apache-2.0
// The proofs behind `Plan::check`, one file each. All append to the report; none stops at its first
// fault.
#pragma once

#include <askos/base/error.hpp>
#include <askos/dataflow/plan.hpp>

#include <string>
#include <utility>
#include <vector>

namespace askos::dataflow {

/// Puts a fault into the words of an `Error`: fixed text first, values last.
class FaultText {
 public:
  explicit FaultText(std::string text) : error_(Errc::kPlanRefused, std::move(text)) {}

  template <typename T>
  FaultText& with(std::string_view key, const T& value) {
    error_.with(key, value);
    return *this;
  }
  void add_to(PlanReport& report, std::string repair = {}) const {
    report.faults.push_back({error_.what(), std::move(repair)});
  }

 private:
  Error error_;
};

/// Returns the position of the stage that owns `port`, or -1 if it is of another graph.
[[nodiscard]] int owner_in(const Graph& graph, const Port& port);
/// Prints `stage.port`.
[[nodiscard]] std::string port_name(const Graph& graph, const Port& port);

/// Returns how many packets of the largest stated size fit on an edge at a time.
[[nodiscard]] std::int64_t packets_that_fit(const Graph::Edge& edge);

/// Names, ports left open or joined twice, edges of other graphs.
void check_shape(const Graph& graph, PlanReport& report);
/// Payload types, contracts and room for one firing, edge by edge.
void check_edges(const Graph& graph, PlanReport& report);
/// Balance of rates, and credit that lets every cycle and reconvergent path run.
void check_rates(const Graph& graph, PlanReport& report);
/// Bytes in flight against the limits; raises the bounds of the report.
void check_memory(const Graph& graph, const PlanLimits& limits, PlanReport& report);
/// Nothing that drops packets upstream of a collective, one communicator per stage.
void check_collectives(const Graph& graph, PlanReport& report);
/// Injected faults that could not strike.
void check_faults(const Graph& graph, PlanReport& report);
/// The same graph on every rank.
void check_ranks(const std::vector<const Graph*>& one_per_rank, PlanReport& report);

}  // namespace askos::dataflow
