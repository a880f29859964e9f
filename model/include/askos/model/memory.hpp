// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

namespace askos::model {

/// Bytes of tensors that one thread allocated.
struct MemoryReading {
  std::int64_t live_bytes = 0;     ///< allocated and not yet freed, since the meter was made
  std::int64_t peak_bytes = 0;     ///< the most of it at any time since the last reset
  std::int64_t largest_bytes = 0;  ///< the largest single allocation since the last reset
};

/// Counts the tensor memory of the thread that makes it (a rank's: its backward pass runs on the
/// same thread), until it dies; it must die on that thread. Uses LibTorch's allocation reports.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  [[nodiscard]] MemoryReading read() const;
  /// Starts new high-water marks at what is live now.
  void reset_peak();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace askos::model
