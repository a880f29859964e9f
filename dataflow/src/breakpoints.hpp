// SPDX-License-Identifier: Apache-2.0
// The breakpoints of a running plan. They are looked at by the stage that is about to take a
// packet, and only by stages that have one on an input; nobody else pays for them.
#pragma once

#include "expression.hpp"

#include <askos/dataflow/breakpoint.hpp>
#include <askos/dataflow/control.hpp>

#include <map>
#include <mutex>
#include <vector>

namespace askos::dataflow {

class Execution;
class StageRunner;

class Breakpoints {
 public:
  explicit Breakpoints(Execution& execution) : execution_(execution) {}
  Breakpoints(const Breakpoints&) = delete;
  Breakpoints& operator=(const Breakpoints&) = delete;

  Breakpoint add(const Debugger& debugger,
                 std::string_view edge,
                 std::optional<Rank> rank,
                 std::string_view when,
                 std::optional<int> number);
  /// Removes one, or all; throws `Errc::kNotFound` if there is none of that number.
  void remove(std::optional<int> number);
  [[nodiscard]] std::vector<Breakpoint> list() const;
  /// Arms those again that were hit.
  void arm();

  /// Asks for the runner that is about to run; true if it must look at its gate first.
  [[nodiscard]] bool hits(StageRunner& runner);

 private:
  struct Input {
    std::size_t edge;  ///< position among the execution's edges
    std::size_t input;
    std::int64_t passed = 0;  ///< packets below this number have been looked at
  };
  struct Watch {
    Breakpoint shown;
    Debugger debugger;
    Expression condition;
    bool armed = true;
    std::map<const StageRunner*, Input> inputs;
  };

  [[nodiscard]] bool is_hit(Watch& watch, const StageRunner& runner, Input& input);
  void update_probing();

  Execution& execution_;
  mutable std::mutex mutex_;  // guards all below
  std::vector<Watch> watches_;
  int newest_ = 0;  // number
};

}  // namespace askos::dataflow
