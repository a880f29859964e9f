// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_tensors.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace askos::actors {
namespace {

constexpr std::array<std::pair<at::ScalarType, DType>, 3> kTypes{
    {{at::kFloat, DType::kFloat32}, {at::kDouble, DType::kFloat64}, {at::kLong, DType::kInt64}}};

DType dtype_of(const at::Tensor& tensor) {
  for (const auto& [scalar, dtype] : kTypes) {
    if (tensor.scalar_type() == scalar) {
      return dtype;
    }
  }
  throw Error(Errc::kInternal, "a checkpoint cannot hold this dtype")
      .with("found", at::toString(tensor.scalar_type()));
}

at::ScalarType scalar_of(const io::NamedArray& array) {
  for (const auto& [scalar, dtype] : kTypes) {
    if (array.dtype == dtype) {
      return scalar;
    }
  }
  throw Error(Errc::kTypeMismatch, "a checkpoint's tensor has another dtype")
      .with("tensor", array.name)
      .with("expected", "float32, float64 or int64")
      .with("found", array.dtype);
}

}  // namespace

void write_tensors(io::ByteSink& sink, const model::NamedTensors& tensors) {
  std::vector<at::Tensor> kept;  // contiguous memory lives until the file is written
  std::vector<io::NamedArrayView> views;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.contiguous());
    views.emplace_back(name, dtype_of(tensor), tensor.sizes().vec(),
                       std::span(static_cast<const std::byte*>(kept.back().const_data_ptr()),
                                 static_cast<std::size_t>(kept.back().nbytes())));
  }
  io::write_safetensors(sink, views);
}

model::NamedTensors to_tensors(const std::vector<io::NamedArray>& arrays) {
  model::NamedTensors tensors;
  for (const auto& array : arrays) {
    auto tensor = at::empty(array.shape, scalar_of(array));
    std::memcpy(tensor.mutable_data_ptr(), array.bytes.data(), array.bytes.size());
    tensors[array.name] = tensor;
  }
  return tensors;
}

}  // namespace askos::actors
