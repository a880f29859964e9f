// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/DeviceType.h>

#include <cstdint>

namespace askos::model {

/// In what linear layers multiply. Parameters, layer norms, sums of attention, the residual stream
/// and the loss stay in the model's own type.
enum class Precision : std::uint8_t {
  kModel,     ///< in that type, too
  kBFloat16,  ///< 8 bits, the range of float32
  kFloat16,   ///< 11 bits, up to 65504: `Trainer` scales the loss
};

/// While it lives, linear layers that this thread runs on `device` multiply in `precision`;
/// backward passes must run under it, too, if they recompute. Nothing changes in float64, or for
/// `kModel`.
class Autocast {
 public:
  explicit Autocast(Precision precision, c10::DeviceType device = c10::DeviceType::CPU);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  c10::DeviceType device_;
};

}  // namespace askos::model
