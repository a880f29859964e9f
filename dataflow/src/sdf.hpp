// SPDX-License-Identifier: Apache-2.0
// Synchronous dataflow: actors that take and make fixed numbers of packets per firing, so that
// balance and freedom from deadlock can be decided before anything runs (Lee and Messerschmitt,
// "Synchronous data flow", Proc. IEEE 75(9), 1987).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace askos::dataflow::sdf {

struct Edge {
  int from = 0;
  int to = 0;
  int made = 1;               ///< packets per firing of `from`
  int taken = 1;              ///< packets per firing of `to`
  int initial = 0;            ///< packets at the start
  std::int64_t capacity = 1;  ///< packets that fit, those in the consumer's hands included
};

struct Net {
  int num_actors = 0;
  std::vector<Edge> edges{};
};

/// How often each actor fires until all edges are as at the start; the smallest such numbers.
struct Balance {
  std::vector<std::int64_t> firings;      ///< by actor
  std::vector<std::size_t> unbalanced{};  ///< edges that no such numbers satisfy
};
[[nodiscard]] Balance balance(const Net& net);

/// What is left when nobody can fire any more.
struct Halt {
  bool complete = false;             ///< every actor fired as often as the balance says
  std::vector<std::size_t> full{};   ///< edges that alone keep their producer from firing
  std::vector<std::size_t> empty{};  ///< edges that keep their consumer from firing
};

/// Fires whoever can until the balance is reached or nobody can; a firing needs its packets and
/// room for all it makes, and gives room back when it is over. The order makes no difference.
[[nodiscard]] Halt simulate(const Net& net, const std::vector<std::int64_t>& firings);

/// Capacities that let the net run for ever, and whether a smaller sum is known not to do.
struct Capacities {
  std::vector<std::int64_t> values;  ///< by edge
  bool smallest = true;
};

/// Finds the smallest total increase of capacities with which the net runs for ever. Only full
/// edges can help at a halt (Stuijk, Geilen and Basten, DAC 2006), so the search follows them,
/// cheapest sum first; after `max_steps` simulations it settles for a sufficient increase. Nothing
/// if no capacity helps, because a cycle lacks packets to begin with.
[[nodiscard]] std::optional<Capacities> smallest_capacities(
    const Net& net, const std::vector<std::int64_t>& firings, int max_steps = 20000);

}  // namespace askos::dataflow::sdf
