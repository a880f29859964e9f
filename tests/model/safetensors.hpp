// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/safetensors.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/ATen.h>

#include <filesystem>

namespace askos::model::test {

inline NamedTensors read_tensors(const std::filesystem::path& path) {
  NamedTensors tensors;
  for (auto& array : io::read_safetensors(path).arrays) {
    const auto dtype = array.dtype == DType::kFloat32   ? at::kFloat
                       : array.dtype == DType::kFloat64 ? at::kDouble
                                                        : at::kLong;
    tensors[array.name] = at::from_blob(array.bytes.data(), array.shape, dtype).clone();
  }
  return tensors;
}

}  // namespace askos::model::test
