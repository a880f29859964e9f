// SPDX-License-Identifier: Apache-2.0
#include "statistics_sum.hpp"

#include <algorithm>
#include <cmath>

namespace askos::io {

void StatisticsSum::add(std::span<const double> values) {
  double count = 0;
  double sum = 0;
  for (const double value : values) {
    if (!std::isnan(value)) {
      count += 1;
      sum += value;
      minimum_ = std::min(minimum_, value);
      maximum_ = std::max(maximum_, value);
    }
  }
  if (count == 0) {
    return;
  }
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) {
    if (!std::isnan(value)) {
      squares += (value - mean) * (value - mean);
    }
  }
  const double total = count_ + count;
  const double distance = mean - mean_;
  squares_ += squares + distance * distance * count_ * count / total;
  mean_ += distance * count / total;
  count_ = total;
}

Statistics StatisticsSum::result() const {
  if (count_ == 0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan};
  }
  return {mean_, std::sqrt(squares_ / count_), minimum_, maximum_};
}

}  // namespace askos::io
