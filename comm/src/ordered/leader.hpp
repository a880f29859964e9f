// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ordered/control.hpp"
#include "ordered/coordinator.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace askos::comm {

/// The thread of rank 0 that hears what ranks announce and orders what all do.
class Leader {
 public:
  /// `on_error` is called on the thread if the rendezvous fails, and then the thread ends.
  Leader(Control& control, std::function<void(const Error&)> on_error);
  /// Waits a while for the other ranks to take what was ordered last.
  ~Leader();
  Leader(const Leader&) = delete;
  Leader& operator=(const Leader&) = delete;

 private:
  void lead();
  [[nodiscard]] std::int64_t num_taken_by_all();

  Control& control_;
  std::function<void(const Error&)> on_error_;
  Coordinator coordinator_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace askos::comm
