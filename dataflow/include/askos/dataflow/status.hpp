// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>
#include <askos/base/id.hpp>
#include <askos/base/unit.hpp>
#include <askos/telemetry/ledger.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// What the policy of a stage had to deal with; can be sent to another process.
struct StageFailure {
  std::string stage;
  Rank rank{};
  std::optional<SampleId> sample{};  ///< the first packet of the run that failed
  Error error{Errc::kInternal, "unknown failure"};
};

/// One stage on one rank, read without stopping it.
struct StageStatus {
  std::string stage;
  Rank rank;
  telemetry::LedgerReading ledger{};
  std::int64_t num_runs = 0;
  std::int64_t num_skipped = 0;
  std::int64_t num_restarts = 0;
  std::vector<std::int64_t> wait_input_ns{};   ///< by input port: time spent waiting for that one
  std::vector<std::int64_t> wait_credit_ns{};  ///< by edge of the graph (see `EdgeStatus::edge`)
};

/// One edge on one rank.
struct EdgeStatus {
  EdgeId edge;
  std::string name;  ///< `read.out>part.in`
  Rank rank;
  int credit = 0;     ///< packets that fit
  int depth = 0;      ///< packets that wait to be taken
  int in_flight = 0;  ///< waiting, or taken and not yet released
  Bytes host_bytes;
  Bytes device_bytes;
  std::int64_t num_packets = 0;  ///< passed so far
  std::int64_t num_dropped = 0;
};

/// All stages and edges of a session at one moment; each entry is consistent in itself.
struct SessionStatus {
  std::string graph;
  std::string state;                      ///< running, draining, done, failed
  std::optional<StageFailure> failure{};  ///< what made it fail
  Nanoseconds age{};
  std::vector<StageStatus> stages;  ///< rank by rank, in order of the graph
  std::vector<EdgeStatus> edges;
};

/// How a session ended.
struct Outcome {
  std::optional<StageFailure> failure{};      ///< the first one that stopped it
  std::vector<StageFailure> skipped{};        ///< those that a policy absorbed
  std::int64_t num_undelivered = 0;           ///< packets that were left on edges
  std::vector<std::string> undelivered_on{};  ///< names of those edges

  [[nodiscard]] bool ok() const noexcept { return !failure.has_value(); }
};

}  // namespace askos::dataflow
