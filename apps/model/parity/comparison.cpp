// SPDX-License-Identifier: Apache-2.0
#include "parity/comparison.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace askos::apps {

double max_abs(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

namespace {

constexpr std::string_view kGradient = "grad.param.";

/// Throws with the names of gradients that ours or the stored ones lack. The reference also stores
/// zeros for a parameter that is not trained, which is a buffer here.
void check_names(const model::NamedTensors& ours, const model::NamedTensors& stored) {
  std::string missing;
  std::string extra;
  for (const auto& [name, tensor] : ours) {
    if (!stored.contains(std::string(kGradient) + name)) {
      missing += (missing.empty() ? "" : ", ") + name;
    }
  }
  for (const auto& [name, tensor] : stored) {
    if (name.starts_with(kGradient) && !ours.contains(name.substr(kGradient.size())) &&
        max_abs(tensor) != 0) {
      extra += (extra.empty() ? "" : ", ") + name.substr(kGradient.size());
    }
  }
  if (!missing.empty() || !extra.empty()) {
    throw Error(Errc::kInvalidInput, "the case's gradients are not those of its model's parameters")
        .with("only_in_the_model", missing)
        .with("only_in_the_case", extra);
  }
}

}  // namespace

Comparison compare(const std::string& quantity,
                   const at::Tensor& ours,
                   const at::Tensor& reference,
                   double tolerance) {
  if (ours.sizes() != reference.sizes()) {
    std::ostringstream found;
    std::ostringstream expected;
    found << ours.sizes();
    expected << reference.sizes();
    throw Error(Errc::kShapeMismatch, "quantity has another shape than the case stores")
        .with("quantity", quantity)
        .with("found", found.str())
        .with("stored", expected.str());
  }
  const at::Tensor expected = reference.to(at::kDouble);
  const at::Tensor difference = ours.to(at::kDouble) - expected;
  const double size = expected.norm().item<double>();
  const double distance = difference.norm().item<double>();
  return {.quantity = quantity,
          .max_abs = max_abs(difference),
          .relative = distance == 0 ? 0 : distance / size,
          .tolerance = tolerance};
}

Comparison compare(const std::string& quantity, double ours, double reference, double tolerance) {
  const double difference = std::abs(ours - reference);
  return {.quantity = quantity,
          .max_abs = difference,
          .relative = difference == 0 ? 0 : difference / std::abs(reference),
          .tolerance = tolerance * std::abs(reference)};
}

std::vector<Comparison> compare_gradients(const model::NamedTensors& ours,
                                          const model::NamedTensors& stored,
                                          double relative,
                                          double floor) {
  check_names(ours, stored);
  const auto reference = [&](const std::string& name) {
    return stored.at(std::string(kGradient) + name);
  };
  double largest = 0;
  for (const auto& [name, gradient] : ours) {
    largest = std::max(largest, max_abs(reference(name)));
  }
  std::vector<Comparison> rows;
  for (const auto& [name, gradient] : ours) {
    const double scale = std::max(max_abs(reference(name)), floor * largest);
    rows.push_back(
        compare(std::string(kGradient) + name, gradient, reference(name), relative * scale));
  }
  return rows;
}

}  // namespace askos::apps
