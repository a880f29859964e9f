// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::apps {

/// Turns the first SIGINT or SIGTERM into a readable file descriptor. Make it on the main thread
/// before any other thread starts, so that all of them leave the signals to it.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// Readable once a signal has come.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  /// Returns true once a signal has come; from then on a second one ends the process at once.
  [[nodiscard]] bool arrived();

 private:
  int descriptor_;
  bool arrived_ = false;
};

}  // namespace askos::apps
