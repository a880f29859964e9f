// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace askos::model {

/// The factor of a loss whose gradients pass through float16, which keeps small ones from becoming
/// zero: halved when a step's gradient is not finite, doubled after many that were. As torch's
/// GradScaler with its own numbers.
class LossScale {
 public:
  struct State {
    double factor = 65536;
    std::int64_t num_accepted = 0;  ///< steps since the factor last changed
  };

  /// Takes note of a step; returns whether its gradient may be used.
  bool accept(bool is_finite);

  [[nodiscard]] const State& state() const noexcept { return state_; }
  void set_state(const State& state) noexcept { state_ = state; }

 private:
  State state_;
};

}  // namespace askos::model
