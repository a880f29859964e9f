// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/status.hpp>

#include <deque>
#include <string>
#include <vector>

namespace askos::dataflow {

/// Draws how each stage of `now` spent the last `time`, in `num_columns` letters, the newest last:
/// the state that it spent most of a column in. The letters are C busy.cpu, G busy.gpu, i
/// wait.input, c wait.credit, n wait.comm, d wait.io, m wait.mem, s wait.sched, p paused, a dot for
/// off; a space where nothing is known. `history` ascends; a column without a reading takes the
/// next one's.
[[nodiscard]] std::vector<std::string> state_strips(const std::deque<SessionStatus>& history,
                                                    const SessionStatus& now,
                                                    Nanoseconds time,
                                                    int num_columns);

}  // namespace askos::dataflow
