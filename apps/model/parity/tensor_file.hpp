// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/safetensors.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace askos::apps {

/// Reads every tensor of a safetensors file; the tensors own their memory. Throws what
/// `io::read_safetensors` throws.
[[nodiscard]] model::NamedTensors read_tensors(const std::filesystem::path& path);

/// Returns what a safetensors file holds as tensors that own their memory.
[[nodiscard]] model::NamedTensors to_tensors(const io::Safetensors& file);

/// Writes tensors as safetensors, in the order of their names.
void write_tensors(io::ByteSink& sink, const model::NamedTensors& tensors);

/// Tensors of one file, by name; errors name both.
class TensorFile {
 public:
  explicit TensorFile(std::filesystem::path path)
      : path_(std::move(path)), tensors_(read_tensors(path_)) {}

  [[nodiscard]] bool has(const std::string& name) const { return tensors_.contains(name); }
  /// Throws `Errc::kInvalidInput` if it is absent.
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  /// As above, and refuses another number of axes.
  [[nodiscard]] const at::Tensor& at(const std::string& name, std::int64_t dimensions) const;
  [[nodiscard]] const model::NamedTensors& all() const noexcept { return tensors_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  model::NamedTensors tensors_;
};

/// Returns the entries of a tensor of any floating type.
[[nodiscard]] std::vector<double> doubles(const at::Tensor& x);

/// Returns the entries of a tensor of any integer type.
[[nodiscard]] std::vector<std::int64_t> integers(const at::Tensor& x);

}  // namespace askos::apps
