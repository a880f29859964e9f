// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_info.hpp>

#include <cstdint>
#include <limits>
#include <span>

namespace askos::io {

/// Gathers statistics in double precision, batch by batch, with the update of Chan, Golub and
/// LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
/// NaNs are left out. The same batches in the same order give the same bits.
class StatisticsSum {
 public:
  void add(std::span<const double> values);
  [[nodiscard]] Statistics result() const;

 private:
  double count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // sum of squared distances from the mean
  double minimum_ = std::numeric_limits<double>::infinity();
  double maximum_ = -std::numeric_limits<double>::infinity();
};

}  // namespace askos::io
