// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/actors/reader.hpp>
#include <askos/comm/communicator.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace askos::actors {

/// Lets all ranks end after the same step when somebody asks for an early end of any of them: those
/// that are behind go on to where the foremost one already is. Shared by the ranks of a process.
/// Any thread.
///
///   open -> held (nobody begins another step) -> closed after a step that all ranks agree on
class StopGate {
 public:
  /// True if step `step` may begin on the asking rank; blocks while the gate is held.
  [[nodiscard]] bool admit(std::int64_t step);

  /// Asks for an early end; the ranks heed it once they have made the step under way.
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }

  /// Called by every rank after each step: if an end was asked for on any rank, agrees on the last
  /// step. Collective over `ranks`; blocks.
  void agree(comm::Communicator& ranks);

  /// Admits nobody any more: the run has failed.
  void close() noexcept;

 private:
  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  std::condition_variable moved_;
  bool held_ = false;
  std::optional<std::int64_t> end_;  ///< steps that are made in all
  std::int64_t foremost_ = 0;        ///< steps begun by the foremost rank of this process
};

/// Training batches from `from` on until step `run.config.training.steps`, in the schedule's order.
[[nodiscard]] WindowRequests training_requests(const RankContext& rank,
                                               const Snapshot* from,
                                               std::shared_ptr<StopGate> gate);

/// All test samples once, in order.
[[nodiscard]] WindowRequests test_requests(const RankContext& rank);

/// The start of a forecast whose last input step is at `from`, then one request for each further
/// step with the rows of its forcings, if the model has any.
[[nodiscard]] WindowRequests forecast_requests(const RankContext& rank,
                                               io::Time from,
                                               std::int64_t num_steps);

}  // namespace askos::actors
