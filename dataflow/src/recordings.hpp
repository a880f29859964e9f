// SPDX-License-Identifier: Apache-2.0
// Recordings of a running plan's stages: which are kept, and those that somebody is fetching.
#pragma once

#include <askos/dataflow/recording.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace askos::dataflow {

class Execution;
class StageRunner;

class Recordings {
 public:
  static constexpr int kMostRuns = 1000;

  explicit Recordings(Execution& execution) : execution_(execution) {}
  Recordings(const Recordings&) = delete;
  Recordings& operator=(const Recordings&) = delete;

  /// As `Control::record`.
  RecordingStatus arm(std::string_view stage, Rank rank, int last);
  /// Arms the stages whose options ask for it.
  void arm_from_start();
  [[nodiscard]] RecordingStatus status(std::string_view stage, Rank rank) const;
  /// As `Control::take_recording`.
  [[nodiscard]] std::shared_ptr<const Recording> take(std::string_view stage, Rank rank) const;

  /// Keeps a recording that is fetched piece by piece, under a number; only the newest few stay.
  [[nodiscard]] int keep(std::shared_ptr<const Recording> recording);
  /// Throws `Errc::kNotFound` if it is not kept any more.
  [[nodiscard]] std::shared_ptr<const Recording> kept(int number) const;

 private:
  [[nodiscard]] StageRunner& runner_of(std::string_view stage, Rank rank) const;
  void add_waiting(StageRunner& runner, Recording& recording) const;

  Execution& execution_;
  mutable std::mutex mutex_;  // guards all below
  std::map<int, std::shared_ptr<const Recording>> kept_;
  int num_kept_ = 0;
};

}  // namespace askos::dataflow
