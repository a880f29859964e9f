// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace askos::model {

/// Makes the input of a forecast's next step from its last one: the time axis rolls by the output's
/// steps, prognostic variables come from the forecast, forcings from the truth. In a limited area
/// the boundary's prognostic variables come from the truth as well. Any thread.
class InputAdvance {
 public:
  /// `interior`: bool [own data node], true where the forecast counts; undefined: everywhere.
  explicit InputAdvance(const ModelConfig& config, at::Tensor interior = {});

  /// True if the truth of later steps is read at all.
  [[nodiscard]] bool needs_truth() const noexcept;

  /// x      [batch, input step, own data node, input variable], oldest first
  /// y      [batch, output step, own data node, output variable], the forecast from x
  /// truth  as y, but with the input variables; may be undefined unless `needs_truth()`
  /// gives  the next x; differentiable in x and y
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      const at::Tensor& y,
                                      const at::Tensor& truth) const;

 private:
  at::Tensor newest(const at::Tensor& y, const at::Tensor& truth) const;

  std::vector<std::int64_t> outputs_;  ///< by input variable: its place in the output, or -1
  bool has_forcings_ = false;
  at::Tensor interior_;  ///< [1, 1, node, 1]
};

}  // namespace askos::model
