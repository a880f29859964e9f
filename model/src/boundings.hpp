// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

/// Applies the limits of one dataset's output variables, in order.
class Boundings {
 public:
  /// Registers the buffers that the limits need.
  Boundings(Parameters& parameters, const DatasetConfig& dataset);

  /// y [..., variable] in normalised units.
  [[nodiscard]] at::Tensor operator()(at::Tensor y) const;

 private:
  struct Limit {
    Bounding::Kind kind;
    at::Tensor variables;  // int64 [bounded variable]
    at::Tensor minimum;    // [bounded variable], only of normalised kinds
    double low = 0;
    double high = 0;
    std::int64_t total = 0;
  };
  std::vector<Limit> limits_;
};

}  // namespace askos::model
