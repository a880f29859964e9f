// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

namespace askos::apps {

/// Takes signals as they come instead of being interrupted by them. Make it before other threads.
class SignalQueue {
 public:
  explicit SignalQueue(const std::vector<int>& signals);
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  /// Readable when a signal has come.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// The next one that has come; does not block.
  [[nodiscard]] std::optional<int> next() noexcept;

 private:
  int descriptor_;
};

}  // namespace askos::apps
