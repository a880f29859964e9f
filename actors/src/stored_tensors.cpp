// SPDX-License-Identifier: Apache-2.0
#include "stored_tensors.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <utility>

namespace askos::actors {
namespace {

constexpr std::array<std::pair<at::ScalarType, DType>, 7> kTypes{{{at::kFloat, DType::kFloat32},
                                                                  {at::kDouble, DType::kFloat64},
                                                                  {at::kHalf, DType::kFloat16},
                                                                  {at::kBFloat16, DType::kBFloat16},
                                                                  {at::kInt, DType::kInt32},
                                                                  {at::kLong, DType::kInt64},
                                                                  {at::kByte, DType::kUInt8}}};

}  // namespace

DType dtype_of(const at::Tensor& tensor) {
  for (const auto& [scalar, dtype] : kTypes) {
    if (tensor.scalar_type() == scalar) return dtype;
  }
  throw Error(Errc::kTypeMismatch, "tensor of a dtype that cannot be shown or stored")
      .with("found", at::toString(tensor.scalar_type()));
}

dataflow::StoredArray stored_tensor(std::string name, const at::Tensor& tensor) {
  const auto flat = tensor.detach().to(at::kCPU).contiguous();
  return dataflow::stored_array(std::move(name), tensor.sizes().vec(), dtype_of(tensor),
                                flat.const_data_ptr());
}

at::Tensor tensor_of(const dataflow::StoredArray& array) {
  for (const auto& [scalar, dtype] : kTypes) {
    if (array.dtype != dtype) continue;
    auto tensor = at::empty(array.shape, scalar);
    if (!array.bytes.empty()) {
      std::memcpy(tensor.mutable_data_ptr(), array.bytes.data(), array.bytes.size());
    }
    return tensor;
  }
  throw Error(Errc::kTypeMismatch, "array has no tensor type").with("array", array.name);
}

}  // namespace askos::actors
