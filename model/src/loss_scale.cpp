// SPDX-License-Identifier: Apache-2.0
#include "loss_scale.hpp"

namespace askos::model {
namespace {

constexpr std::int64_t kStepsUntilGrowth = 2000;

}  // namespace

bool LossScale::accept(bool is_finite) {
  if (!is_finite) {
    state_ = {.factor = state_.factor / 2};
  } else if (++state_.num_accepted == kStepsUntilGrowth) {
    state_ = {.factor = state_.factor * 2};
  }
  return is_finite;
}

}  // namespace askos::model
