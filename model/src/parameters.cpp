// SPDX-License-Identifier: Apache-2.0
#include "misfit.hpp"

#include <askos/base/error.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <sstream>

namespace askos::model {
namespace {

/// Mixes a seed and a name into the seed of one parameter (FNV-1a, then splitmix64's finaliser).
std::uint64_t seed_of(std::uint64_t seed, const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325U ^ seed;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<std::string> not_finite(const NamedTensors& state) {
  std::vector<std::string> found;
  for (const auto& [name, tensor] : state) {
    if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>()) found.push_back(name);
  }
  return found;
}

}  // namespace

Parameters::Parameters(at::ScalarType dtype, std::uint64_t seed, at::Device device)
    : dtype_(dtype), seed_(seed), device_(device) {
  if (dtype != at::kFloat && dtype != at::kDouble) {
    throw Error(Errc::kTypeMismatch, "parameters are float32 or float64")
        .with("dtype", c10::toString(dtype));
  }
}

at::Tensor Parameters::add(const std::string& name, at::Tensor values) {
  values.set_requires_grad(true);
  parameters_.push_back({name, values});
  return values;
}

at::Tensor Parameters::constant(const std::string& name,
                                std::vector<std::int64_t> shape,
                                double value) {
  return add(name, at::full(shape, value, options()));
}

at::Tensor Parameters::values(const std::string& name, const at::Tensor& start) {
  return add(name, start.to(options(), /*non_blocking=*/false, /*copy=*/true));
}

at::Tensor Parameters::uniform(const std::string& name,
                               std::vector<std::int64_t> shape,
                               double bound) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed_of(seed_, name));
  const at::Tensor values = at::empty(shape, at::kDouble);
  values.uniform_(-bound, bound, generator);
  return add(name, values.to(options()));
}

void Parameters::buffer(const std::string& name, at::Tensor tensor) {
  buffers_.push_back({name, std::move(tensor)});
}

void Parameters::alias(const std::string& name, const std::string& target) {
  aliases_.emplace_back(name, target);
}

std::int64_t Parameters::num_elements() const {
  std::int64_t count = 0;
  for (const auto& entry : parameters_) count += entry.tensor.numel();
  return count;
}

NamedTensors Parameters::state() const {
  NamedTensors state;
  const auto copy = [](const at::Tensor& x) {
    return x.detach().to(at::kCPU, x.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  };
  for (const auto& entry : parameters_) state[entry.name] = copy(entry.tensor);
  for (const auto& entry : buffers_) state[entry.name] = copy(entry.tensor);
  for (const auto& [name, target] : aliases_) state[name] = state.at(target);
  return state;
}

void Parameters::load(const NamedTensors& state) {
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::map<std::string, bool> known;
  const auto check = [&](const Entry& entry) {
    known[entry.name] = true;
    const auto found = state.find(entry.name);
    if (found == state.end()) {
      missing.push_back(entry.name);
    } else if (found->second.sizes() != entry.tensor.sizes()) {
      std::ostringstream text;
      text << entry.name << " " << found->second.sizes() << " instead of " << entry.tensor.sizes();
      misshapen.push_back(text.str());
    }
  };
  for (const auto& entry : parameters_) check(entry);
  for (const auto& entry : buffers_) check(entry);
  for (const auto& [name, target] : aliases_) known[name] = true;
  std::vector<std::string> unknown;
  for (const auto& [name, tensor] : state) {
    if (!known.contains(name)) unknown.push_back(name);
  }
  const auto broken = not_finite(state);
  if (!missing.empty() || !unknown.empty() || !misshapen.empty()) {
    const auto explanations = explain_misfit(missing, unknown, misshapen);
    throw Error(Errc::kInvalidInput, "weights do not fit the model")
        .with("missing", join(missing))
        .with("unknown", join(unknown))
        .with("misshapen", join(misshapen))
        .with("not_finite", join(broken))
        .with("check_in_the_configuration", join(explanations));
  }
  if (!broken.empty()) {
    throw Error(Errc::kInvalidInput, "weights are not finite").with("tensors", join(broken));
  }
  const c10::AutoGradMode no_grad(false);
  for (auto& entry : parameters_) entry.tensor.copy_(state.at(entry.name));
  for (auto& entry : buffers_) entry.tensor.copy_(state.at(entry.name));
}

}  // namespace askos::model
