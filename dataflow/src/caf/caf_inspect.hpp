// SPDX-License-Identifier: Apache-2.0
// How statuses and outcomes are written to and read from CAF messages that leave the process.
#pragma once

#include <askos/base/error.hpp>
#include <askos/base/id.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/status.hpp>

#include <string>
#include <utility>
#include <vector>

namespace askos {

template <typename Inspector, typename Tag, typename Number>
bool inspect(Inspector& f, Id<Tag, Number>& id) {
  return f.object(id).fields(f.field("value", id.value));
}

template <typename Inspector>
bool inspect(Inspector& f, Bytes& bytes) {
  return f.object(bytes).fields(f.field("value", bytes.value));
}

/// The source location stays behind: it means nothing elsewhere.
template <typename Inspector>
bool inspect(Inspector& f, Error& error) {
  auto code = static_cast<int>(error.code());
  auto text = error.text();
  auto values = error.values();
  if (!f.object(error).fields(f.field("code", code), f.field("text", text),
                              f.field("values", values))) {
    return false;
  }
  if constexpr (Inspector::is_loading) {
    error = Error(static_cast<Errc>(code), text);
    for (const auto& [key, value] : values) error.with(key, value);
  }
  return true;
}

}  // namespace askos

namespace askos::telemetry {

template <typename Inspector>
bool inspect(Inspector& f, LedgerReading& reading) {
  auto state = static_cast<int>(reading.state);
  if (!f.object(reading).fields(f.field("state", state), f.field("opened", reading.opened),
                                f.field("at", reading.at), f.field("times", reading.times))) {
    return false;
  }
  if constexpr (Inspector::is_loading) reading.state = static_cast<State>(state);
  return true;
}

}  // namespace askos::telemetry

namespace askos::dataflow {

template <typename Inspector>
bool inspect(Inspector& f, StageFailure& failure) {
  return f.object(failure).fields(f.field("stage", failure.stage), f.field("rank", failure.rank),
                                  f.field("sample", failure.sample),
                                  f.field("error", failure.error));
}

template <typename Inspector>
bool inspect(Inspector& f, StageStatus& status) {
  return f.object(status).fields(
      f.field("stage", status.stage), f.field("rank", status.rank),
      f.field("ledger", status.ledger), f.field("num_runs", status.num_runs),
      f.field("num_skipped", status.num_skipped), f.field("num_restarts", status.num_restarts),
      f.field("wait_input_ns", status.wait_input_ns),
      f.field("wait_credit_ns", status.wait_credit_ns));
}

template <typename Inspector>
bool inspect(Inspector& f, EdgeStatus& status) {
  return f.object(status).fields(
      f.field("edge", status.edge), f.field("name", status.name), f.field("rank", status.rank),
      f.field("credit", status.credit), f.field("depth", status.depth),
      f.field("in_flight", status.in_flight), f.field("host_bytes", status.host_bytes),
      f.field("device_bytes", status.device_bytes), f.field("num_packets", status.num_packets),
      f.field("num_dropped", status.num_dropped));
}

template <typename Inspector>
bool inspect(Inspector& f, SessionStatus& status) {
  return f.object(status).fields(f.field("graph", status.graph), f.field("state", status.state),
                                 f.field("failure", status.failure), f.field("age", status.age),
                                 f.field("stages", status.stages), f.field("edges", status.edges));
}

template <typename Inspector>
bool inspect(Inspector& f, Outcome& outcome) {
  return f.object(outcome).fields(f.field("failure", outcome.failure),
                                  f.field("skipped", outcome.skipped),
                                  f.field("num_undelivered", outcome.num_undelivered),
                                  f.field("undelivered_on", outcome.undelivered_on));
}

}  // namespace askos::dataflow
