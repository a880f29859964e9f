// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace askos::apps {

/// How far one quantity is from what the reference stored.
struct Comparison {
  std::string quantity;
  double max_abs = 0;    ///< largest |ours - reference|
  double relative = 0;   ///< Frobenius norm of the difference over that of the reference
  double tolerance = 0;  ///< of max_abs, or of `relative` if `by_norm`
  bool by_norm = false;
  /// False also where something is not a number.
  [[nodiscard]] bool passes() const noexcept { return (by_norm ? relative : max_abs) <= tolerance; }
};

/// Returns the largest absolute entry; 0 of an empty tensor.
[[nodiscard]] double max_abs(const at::Tensor& x);

/// Compares in float64. Throws `Errc::kShapeMismatch` if the shapes differ.
[[nodiscard]] Comparison compare(const std::string& quantity,
                                 const at::Tensor& ours,
                                 const at::Tensor& reference,
                                 double tolerance);

/// Compares two numbers; `tolerance` is relative to the reference.
[[nodiscard]] Comparison compare(const std::string& quantity,
                                 double ours,
                                 double reference,
                                 double tolerance);

/// Compares gradients with `grad.param.<name>` of `stored`. A parameter passes if
/// max|ours - stored| <= relative * max(max|stored|, floor * G), G the largest entry of all: some
/// gradients vanish analytically (lin_key.bias without qk_norm) and hold rounding noise.
/// Throws `Errc::kInvalidInput` with all names that only one side has.
[[nodiscard]] std::vector<Comparison> compare_gradients(const model::NamedTensors& ours,
                                                        const model::NamedTensors& stored,
                                                        double relative,
                                                        double floor);

}  // namespace askos::apps
