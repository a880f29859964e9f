// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace askos::model {

using NamedTensors = std::map<std::string, at::Tensor>;

/// Holds a model's parameters and buffers by name, in the order of their making.
///
/// Start values depend on the seed and the name alone, and are drawn in float64: the same on every
/// rank, for every number of ranks and for every dtype. The global generator is not touched.
class Parameters {
 public:
  /// `dtype` is that of the parameters: float32 or float64; they are made on `device`.
  Parameters(at::ScalarType dtype, std::uint64_t seed, at::Device device = at::kCPU);

  struct Entry {
    std::string name;
    at::Tensor tensor;
  };

  /// Makes a parameter filled with `value`.
  at::Tensor constant(const std::string& name, std::vector<std::int64_t> shape, double value);
  /// Makes a parameter that starts as a copy of `start`.
  at::Tensor values(const std::string& name, const at::Tensor& start);
  /// Makes a parameter drawn evenly from [-bound, bound).
  at::Tensor uniform(const std::string& name, std::vector<std::int64_t> shape, double bound);
  /// Makes a tensor that is part of the state but not trained.
  void buffer(const std::string& name, at::Tensor tensor);
  /// Gives a parameter a second name in the state.
  void alias(const std::string& name, const std::string& target);

  [[nodiscard]] const std::vector<Entry>& all() const noexcept { return parameters_; }
  [[nodiscard]] at::ScalarType dtype() const noexcept { return dtype_; }
  [[nodiscard]] at::Device device() const noexcept { return device_; }
  /// Type and device of tensors that are computed with parameters.
  [[nodiscard]] at::TensorOptions options() const {
    return at::TensorOptions(dtype_).device(device_);
  }
  [[nodiscard]] std::int64_t num_elements() const;

  /// Returns copies of parameters, buffers and aliases, on the CPU.
  [[nodiscard]] NamedTensors state() const;
  /// Copies values in, converted to the parameters' dtype. Throws one `Errc::kInvalidInput` that
  /// lists all missing, unknown and misshapen names and what in the configuration would explain
  /// them, or all that hold a value that is not finite; nothing is changed then. Aliases may be
  /// absent.
  void load(const NamedTensors& state);

 private:
  at::Tensor add(const std::string& name, at::Tensor values);

  at::ScalarType dtype_;
  std::uint64_t seed_;
  at::Device device_;
  std::vector<Entry> parameters_;
  std::vector<Entry> buffers_;
  std::vector<std::pair<std::string, std::string>> aliases_;
};

}  // namespace askos::model
