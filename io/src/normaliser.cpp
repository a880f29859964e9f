// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/normaliser.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace askos::io {
namespace {

constexpr std::array<std::string_view, 5> kNames{"mean-std", "std", "min-max", "max", "none"};

Affine line_of(Normalisation method, const Statistics& statistics) {
  switch (method) {
    case Normalisation::kMeanStd:
      return {1 / statistics.stdev, -statistics.mean / statistics.stdev};
    case Normalisation::kStd: return {1 / statistics.stdev, 0};
    case Normalisation::kMinMax: {
      const double range = statistics.maximum - statistics.minimum;
      return {1 / range, -statistics.minimum / range};
    }
    case Normalisation::kMax: return {1 / statistics.maximum, 0};
    case Normalisation::kNone: return {};
  }
  return {};
}

}  // namespace

Normalisation parse_normalisation(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) {
    throw Error(Errc::kInvalidInput, "unknown normalisation")
        .with("found", name)
        .with("expected", "mean-std, std, min-max, max or none");
  }
  return static_cast<Normalisation>(found - kNames.begin());
}

std::string_view to_string(Normalisation method) noexcept {
  return kNames.at(static_cast<std::size_t>(method));
}

std::vector<Affine> make_normaliser(const DatasetInfo& info,
                                    Normalisation by_default,
                                    const std::map<std::string, Normalisation>& methods) {
  for (const auto& [name, method] : methods) {
    static_cast<void>(info.variable_at(name));
  }
  std::vector<Affine> lines;
  for (const VariableInfo& variable : info.variables) {
    const auto chosen = methods.find(variable.name);
    const Normalisation method = chosen == methods.end() ? by_default : chosen->second;
    const Affine line = line_of(method, variable.statistics);
    if (!std::isfinite(line.scale) || !std::isfinite(line.offset) || line.scale == 0) {
      throw Error(Errc::kInvalidInput, "variable cannot be normalised like this; is it constant?")
          .with("variable", variable.name)
          .with("method", to_string(method))
          .with("stdev", variable.statistics.stdev)
          .with("minimum", variable.statistics.minimum)
          .with("maximum", variable.statistics.maximum);
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace askos::io
