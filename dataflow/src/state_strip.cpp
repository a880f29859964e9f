// SPDX-License-Identifier: Apache-2.0
#include "state_strip.hpp"

#include <algorithm>
#include <string_view>

namespace askos::dataflow {
namespace {

constexpr std::string_view kLetters = "CGicndmsp.";
static_assert(kLetters.size() == telemetry::kNumStates);

/// A reading from before another process was there has fewer stages.
const StageStatus* find_stage(const SessionStatus* reading, std::size_t index) {
  return reading != nullptr && index < reading->stages.size() ? &reading->stages[index] : nullptr;
}

char letter_of_change(const StageStatus* then, const StageStatus* now) {
  if (now == nullptr) {
    return ' ';
  }
  std::size_t most = 0;
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < telemetry::kNumStates; ++i) {
    const auto time = now->ledger.times[i] - (then == nullptr ? 0 : then->ledger.times[i]);
    if (time > longest) {
      longest = time;
      most = i;
    }
  }
  return longest > 0 ? kLetters[most] : ' ';
}

}  // namespace

std::vector<std::string> state_strips(const std::deque<SessionStatus>& history,
                                      const SessionStatus& now,
                                      Nanoseconds time,
                                      int num_columns) {
  std::vector<std::string> strips(now.stages.size(),
                                  std::string(static_cast<std::size_t>(num_columns), ' '));
  std::vector<const SessionStatus*> readings;
  for (const auto& reading : history) {
    readings.push_back(&reading);
  }
  readings.push_back(&now);
  const Nanoseconds begin = now.age - time;
  const SessionStatus* then = nullptr;
  std::size_t next = 0;
  for (int column = 0; column < num_columns; ++column) {
    const Nanoseconds end = begin + time * (column + 1) / num_columns;
    if (end.count() <= 0) {
      continue;  // before the session began
    }
    while (next + 1 < readings.size() && readings[next]->age < end) {
      ++next;
    }
    const SessionStatus& reading = *readings[next];
    if (then == nullptr && next > 0) {
      then = readings[next - 1];
    }
    const bool is_new = then == nullptr || reading.age > then->age;
    for (std::size_t i = 0; i < strips.size(); ++i) {
      const auto place = static_cast<std::size_t>(column);
      strips[i][place] = is_new ? letter_of_change(find_stage(then, i), find_stage(&reading, i))
                         : place > 0 ? strips[i][place - 1]
                                     : ' ';
    }
    then = &reading;
  }
  return strips;
}

}  // namespace askos::dataflow
