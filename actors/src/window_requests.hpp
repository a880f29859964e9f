// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/actors/reader.hpp>

#include <cstdint>
#include <memory>
#include <mutex>

namespace askos::actors {

/// Lets all local ranks end after the same step when somebody asks for an early end: a rank that is
/// behind goes on to where the foremost one already is. Any thread.
class StopGate {
 public:
  /// True if step `step` may begin on the asking rank.
  [[nodiscard]] bool admit(std::int64_t step);
  void close();

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::int64_t foremost_ = 0;  ///< steps begun by the foremost rank
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
