// SPDX-License-Identifier: Apache-2.0
#include "boundings.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::model {
namespace {

/// The share of what is beyond a limit that the leaky kinds let pass.
constexpr double kLeak = 0.01;

at::Tensor leaky_clamp(const at::Tensor& x, double low, double high) {
  const at::Tensor above = at::where(x > high, high + kLeak * (x - high), x);
  return at::where(x < low, low + kLeak * (x - low), above);
}

}  // namespace

Boundings::Boundings(Parameters& parameters, const DatasetConfig& dataset) {
  using Kind = Bounding::Kind;
  const auto& names = dataset.variables.output;
  const auto position = [&](const std::string& name) {
    return static_cast<std::int64_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  for (std::size_t i = 0; i < dataset.boundings.size(); ++i) {
    const Bounding& bounding = dataset.boundings[i];
    std::vector<std::int64_t> variables;
    for (const auto& name : bounding.variables) variables.push_back(position(name));
    Limit limit = {.kind = bounding.kind,
                   .variables = at::tensor(variables, at::kLong).to(parameters.device()),
                   .minimum = {},
                   .low = bounding.minimum.empty() ? 0 : bounding.minimum[0],
                   .high = bounding.maximum,
                   .total = 0};
    if (bounding.kind == Kind::kNormalizedRelu || bounding.kind == Kind::kNormalizedLeakyRelu) {
      limit.minimum = at::tensor(bounding.minimum, at::kDouble).to(parameters.options());
      parameters.buffer("boundings." + dataset.name + "." + std::to_string(i) + ".norm_min_val",
                        limit.minimum);
    }
    if (bounding.kind == Kind::kFraction || bounding.kind == Kind::kLeakyFraction) {
      limit.total = position(bounding.total);
    }
    limits_.push_back(std::move(limit));
  }
}

at::Tensor Boundings::operator()(at::Tensor y) const {
  for (const Limit& limit : limits_) {
    at::Tensor x = y.index_select(-1, limit.variables);
    switch (limit.kind) {
      case Bounding::Kind::kRelu: x = at::relu(x); break;
      case Bounding::Kind::kLeakyRelu: x = at::leaky_relu(x, kLeak); break;
      case Bounding::Kind::kNormalizedRelu: x = at::relu(x - limit.minimum) + limit.minimum; break;
      case Bounding::Kind::kNormalizedLeakyRelu:
        x = at::leaky_relu(x - limit.minimum, kLeak) + limit.minimum;
        break;
      case Bounding::Kind::kHardtanh:
      case Bounding::Kind::kFraction: x = at::hardtanh(x, limit.low, limit.high); break;
      case Bounding::Kind::kLeakyHardtanh:
      case Bounding::Kind::kLeakyFraction: x = leaky_clamp(x, limit.low, limit.high); break;
    }
    y = y.index_copy(-1, limit.variables, x);
    if (limit.kind == Bounding::Kind::kFraction || limit.kind == Bounding::Kind::kLeakyFraction) {
      y = y.index_copy(-1, limit.variables, x * y.narrow(-1, limit.total, 1));
    }
  }
  return y;
}

}  // namespace askos::model
