// SPDX-License-Identifier: Apache-2.0
#include "parity/tensor_file.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace askos::apps {
namespace {

constexpr std::array<std::pair<at::ScalarType, DType>, 7> kTypes{{{at::kFloat, DType::kFloat32},
                                                                  {at::kDouble, DType::kFloat64},
                                                                  {at::kHalf, DType::kFloat16},
                                                                  {at::kBFloat16, DType::kBFloat16},
                                                                  {at::kInt, DType::kInt32},
                                                                  {at::kLong, DType::kInt64},
                                                                  {at::kByte, DType::kUInt8}}};

at::ScalarType scalar_of(DType dtype) {
  return std::ranges::find(kTypes, dtype, &std::pair<at::ScalarType, DType>::second)->first;
}

DType dtype_of(const std::string& name, const at::Tensor& tensor) {
  const auto found =
      std::ranges::find(kTypes, tensor.scalar_type(), &std::pair<at::ScalarType, DType>::first);
  if (found == kTypes.end()) {
    throw Error(Errc::kTypeMismatch, "safetensors cannot hold this dtype")
        .with("tensor", name)
        .with("dtype", c10::toString(tensor.scalar_type()));
  }
  return found->second;
}

}  // namespace

model::NamedTensors to_tensors(const io::Safetensors& file) {
  model::NamedTensors tensors;
  for (const auto& array : file.arrays) {
    const at::Tensor tensor = at::empty(array.shape, scalar_of(array.dtype));
    if (!array.bytes.empty()) {
      std::memcpy(tensor.mutable_data_ptr(), array.bytes.data(), array.bytes.size());
    }
    tensors[array.name] = tensor;
  }
  return tensors;
}

model::NamedTensors read_tensors(const std::filesystem::path& path) {
  return to_tensors(io::read_safetensors(path));
}

void write_tensors(io::ByteSink& sink, const model::NamedTensors& tensors) {
  std::vector<at::Tensor> kept;  // contiguous memory lives until the file is written
  std::vector<io::NamedArrayView> views;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.contiguous());
    views.emplace_back(name, dtype_of(name, tensor), tensor.sizes().vec(),
                       std::span(static_cast<const std::byte*>(kept.back().const_data_ptr()),
                                 static_cast<std::size_t>(kept.back().nbytes())));
  }
  io::write_safetensors(sink, views);
}

const at::Tensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(Errc::kInvalidInput, "file lacks a tensor")
        .with("file", path_.string())
        .with("tensor", name);
  }
  return found->second;
}

const at::Tensor& TensorFile::at(const std::string& name, std::int64_t dimensions) const {
  const at::Tensor& tensor = at(name);
  if (tensor.dim() != dimensions) {
    throw Error(Errc::kShapeMismatch, "tensor has another number of axes")
        .with("file", path_.string())
        .with("tensor", name)
        .with("axes", tensor.dim())
        .with("expected", dimensions);
  }
  return tensor;
}

std::vector<double> doubles(const at::Tensor& x) {
  const at::Tensor values = x.to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

std::vector<std::int64_t> integers(const at::Tensor& x) {
  const at::Tensor values = x.to(at::kLong).contiguous();
  return {values.const_data_ptr<std::int64_t>(),
          values.const_data_ptr<std::int64_t>() + values.numel()};
}

}  // namespace askos::apps
