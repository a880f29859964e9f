// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/recording.hpp>
#include <askos/dataflow/stage.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::dataflow {

/// What came of one recorded run when it was done again.
struct ReplayedRun {
  std::int64_t number = 0;
  bool done = true;          ///< false: the recording does not know what should come of it
  std::string difference{};  ///< the first one, in words; empty: equal bit by bit, failure included
  std::string failure{};     ///< what it threw this time
  std::vector<RecordedPacket> outputs{};  ///< what it emitted this time
};

struct ReplayReport {
  std::vector<ReplayedRun> runs;

  /// True if every run whose outcome is known gave it again.
  [[nodiscard]] bool equal() const noexcept;
};

/// Does the recorded runs again with `stage`, which must be new: starts it, gives it its state and
/// then, run by run, the packets that it took; compares what it emits bit by bit. No engine, no
/// peers, and no waiting: the clock that the stage sees jumps. Ends after a run that differs, since
/// the state of the stage is another one then, and after one that was not done before and fails.
///
/// Throws `Errc::kInvalidInput` if the recording is of a stage with other ports, and what the
/// stage's `start` and `load_state` throw.
[[nodiscard]] ReplayReport replay(Stage& stage, const Recording& recording);

}  // namespace askos::dataflow
