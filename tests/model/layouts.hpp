// SPDX-License-Identifier: Apache-2.0
// Compares results of one problem on several layouts.
#pragma once

#include "parity/sharded_run.hpp"
#include "ranks.hpp"

#include <askos/model/loss.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace askos::model::test {

using apps::Layout;
using apps::Problem;
using apps::Result;
using apps::run;

inline double max_abs(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

inline double difference(const at::Tensor& ours, const at::Tensor& reference) {
  return max_abs(ours.to(at::kDouble) - reference.to(at::kDouble));
}

/// Rounding in float64 alone: sums of at most some thousand terms, in another order.
constexpr double kSameNumbers = 1e-12;

inline void expect_same(const Result& result, const Result& expected) {
  EXPECT_LE(difference(result.y, expected.y), kSameNumbers * max_abs(expected.y));
  EXPECT_LE(std::abs(result.loss / expected.loss - 1), kSameNumbers);
  EXPECT_LE(difference(result.grad_x, expected.grad_x), kSameNumbers * max_abs(expected.grad_x));
  double largest = 0;
  for (const auto& [name, gradient] : expected.grad_parameters) {
    largest = std::max(largest, max_abs(gradient));
  }
  for (const auto& [name, gradient] : expected.grad_parameters) {
    // A gradient that vanishes analytically is compared with the largest entry of all.
    const double scale = std::max(max_abs(gradient), 1e-3 * largest);
    EXPECT_LE(difference(result.grad_parameters.at(name), gradient), kSameNumbers * scale) << name;
  }
}

}  // namespace askos::model::test
