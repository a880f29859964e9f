// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/status.hpp>
#include <askos/dataflow/why.hpp>
#include <askos/telemetry/overlap.hpp>

#include <nlohmann/json.hpp>

namespace askos::dataflow {

/// Keeps keys in the order in which they were added, so that answers read well.
using Json = nlohmann::ordered_json;

/// Prints as one line; text that is not UTF-8 gets replacement characters.
[[nodiscard]] std::string print(const Json& json);

/// Adds what a packet says about itself.
void add_meta(Json& packet, const PacketMeta& meta);

/// All counters of a session as they are.
[[nodiscard]] Json status_json(const SessionStatus& status);

[[nodiscard]] Json why_json(const WhyReport& report);

/// How much of each rank's communication was hidden behind work.
[[nodiscard]] Json overlap_json(const std::vector<telemetry::Overlap>& overlaps);

/// What changed between two readings, and why stages waited.
[[nodiscard]] Json change_json(const Plan& plan,
                               const SessionStatus& before,
                               const SessionStatus& after);

/// How many packets arrived at the end of the graph between two readings: on the busiest of the
/// edges into stages without outputs.
struct Arrivals {
  std::int64_t num_packets = 0;
  double per_second = 0;
};
[[nodiscard]] Arrivals arrivals(const Plan& plan,
                                const SessionStatus& before,
                                const SessionStatus& after);

}  // namespace askos::dataflow
