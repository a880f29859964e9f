// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_info.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace askos::io {

/// How a variable is normalised, from its statistics. All are `y = x * scale + offset`:
///
///   kMeanStd  scale = 1 / stdev          offset = -mean / stdev
///   kStd      scale = 1 / stdev          offset = 0
///   kMinMax   scale = 1 / (max - min)    offset = -min / (max - min)
///   kMax      scale = 1 / max            offset = 0
///   kNone     scale = 1                  offset = 0
enum class Normalisation { kMeanStd, kStd, kMinMax, kMax, kNone };

/// Reads `mean-std`, `std`, `min-max`, `max`, `none`. Throws `Errc::kInvalidInput` and lists them.
[[nodiscard]] Normalisation parse_normalisation(std::string_view name);
[[nodiscard]] std::string_view to_string(Normalisation method) noexcept;

/// A line: `y = x * scale + offset`.
struct Affine {
  double scale = 1;
  double offset = 0;

  [[nodiscard]] double operator()(double x) const noexcept { return x * scale + offset; }
  [[nodiscard]] Affine inverse() const noexcept { return {1 / scale, -offset / scale}; }
  bool operator==(const Affine&) const = default;
};

/// Returns one line per variable of `info`, in its order: `methods[name]`, or `by_default`.
///
/// Throws `Errc::kNotFound` if `methods` names a variable that `info` does not have, and
/// `Errc::kInvalidInput`, naming the variable, if its statistics allow no division (a constant).
[[nodiscard]] std::vector<Affine> make_normaliser(
    const DatasetInfo& info,
    Normalisation by_default = Normalisation::kMeanStd,
    const std::map<std::string, Normalisation>& methods = {});

}  // namespace askos::io
