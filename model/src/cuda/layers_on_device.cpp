// SPDX-License-Identifier: Apache-2.0
#include "../layers_on_device.hpp"

#include "column_sums.hpp"
#include "layer_norm.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

namespace askos::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// These functions choose all types themselves.
using WithoutAutocast = c10::impl::ExcludeDispatchKeyGuard;

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  throw Error(Errc::kInternal, "a kernel of a layer failed")
      .with("reason", cudaGetErrorString(error));
}

cuda::Element element_of(const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kBFloat16: return cuda::Element::kBfloat16;
    case at::kHalf: return cuda::Element::kFloat16;
    default: return cuda::Element::kFloat32;
  }
}

bool is_aligned(const at::Tensor& x) {
  return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

at::Tensor floats(std::size_t count, const at::Tensor& like) {
  return at::empty({static_cast<std::int64_t>(count)}, like.options().dtype(at::kFloat));
}

/// Sums over the rows of `x` [row, column] in float32.
at::Tensor sums_of_columns(const at::Tensor& x) {
  const auto element = element_of(x);
  if (!cuda::sums_columns(element, x.size(1)) || !x.is_contiguous() || !is_aligned(x)) {
    return x.sum(at::IntArrayRef{0}, /*keepdim=*/false, at::kFloat);
  }
  const c10::cuda::CUDAGuard guard(x.device());
  at::Tensor sums = floats(static_cast<std::size_t>(x.size(1)), x);
  const at::Tensor workspace = floats(cuda::column_sums_workspace(x.size(0), x.size(1)), x);
  check(cuda::column_sums(element, x.const_data_ptr(), x.size(0), x.size(1), sums.data_ptr<float>(),
                          workspace.data_ptr<float>(), c10::cuda::getCurrentCUDAStream()));
  return sums;
}

struct DeviceLinear : torch::autograd::Function<DeviceLinear> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& weight,
                            const at::Tensor& bias,
                            at::ScalarType type) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const at::Tensor input = x.to(type);
    const at::Tensor factors = weight.to(type);
    context->save_for_backward({input, factors});
    context->saved_data["type"] = static_cast<std::int64_t>(x.scalar_type());
    context->saved_data["wants_input"] = x.requires_grad();
    return at::linear(input, factors, bias.to(type));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const auto saved = context->get_saved_variables();
    const at::Tensor g = gradients[0].reshape({-1, gradients[0].size(-1)}).contiguous();
    const at::Tensor input = saved[0].reshape({-1, saved[0].size(-1)});
    at::Tensor grad_input;
    if (context->saved_data["wants_input"].toBool()) {
      const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
      grad_input = g.mm(saved[1]).view(saved[0].sizes()).to(type);
    }
    return {grad_input, at::mm(g.t(), input, at::kFloat), sums_of_columns(g), {}};
  }
};

struct DeviceNorm : torch::autograd::Function<DeviceNorm> {
  static cuda::NormShape shape_of(const at::Tensor& x) {
    return {.element = element_of(x),
            .num_rows = x.numel() / x.size(-1),
            .num_channels = static_cast<int>(x.size(-1))};
  }

  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& weight,
                            const at::Tensor& bias) {
    const cuda::NormShape shape = shape_of(x);
    const c10::cuda::CUDAGuard guard(x.device());
    at::Tensor out = at::empty_like(x);
    const at::Tensor statistics = floats(static_cast<std::size_t>(2 * shape.num_rows), x);
    check(cuda::norm_forward(shape, x.const_data_ptr(), weight.const_data_ptr<float>(),
                             bias.numel() > 0 ? bias.const_data_ptr<float>() : nullptr,
                             out.data_ptr(), statistics.data_ptr<float>(),
                             c10::cuda::getCurrentCUDAStream()));
    context->save_for_backward({x, weight, statistics});
    context->saved_data["has_bias"] = bias.numel() > 0;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const cuda::NormShape shape = shape_of(x);
    const at::Tensor g = gradients[0].contiguous();
    const c10::cuda::CUDAGuard guard(x.device());
    at::Tensor grad_x = at::empty_like(x);
    at::Tensor grad_parameters = floats(static_cast<std::size_t>(2 * shape.num_channels), x);
    const at::Tensor workspace = floats(cuda::norm_workspace(shape), x);
    check(cuda::norm_backward(shape, x.const_data_ptr(), saved[1].const_data_ptr<float>(),
                              saved[2].const_data_ptr<float>(), g.const_data_ptr(),
                              grad_x.data_ptr(), grad_parameters.data_ptr<float>(),
                              workspace.data_ptr<float>(), c10::cuda::getCurrentCUDAStream()));
    const auto of = [&](std::int64_t table) {
      return grad_parameters.narrow(0, table * shape.num_channels, shape.num_channels);
    };
    const bool has_bias = context->saved_data["has_bias"].toBool();
    return {grad_x, of(0), has_bias ? of(1) : at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_on_device(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto type = at::autocast::get_autocast_dtype(at::kCUDA);
  const bool takes = at::autocast::is_autocast_enabled(at::kCUDA) &&
                     at::isReducedFloatingType(type) && weight.scalar_type() == at::kFloat &&
                     x.scalar_type() != at::kDouble && x.numel() > 0;
  return takes ? DeviceLinear::apply(x, weight, bias, type) : at::linear(x, weight, bias);
}

at::Tensor layer_norm_on_device(const at::Tensor& x,
                                const at::Tensor& weight,
                                const at::Tensor& bias) {
  const bool takes = weight.scalar_type() == at::kFloat && x.is_contiguous() && x.numel() > 0 &&
                     is_aligned(x) && cuda::norms(DeviceNorm::shape_of(x));
  if (takes) {
    // Functions of autograd want all their tensors defined.
    return DeviceNorm::apply(x, weight, bias.defined() ? bias : at::empty({0}, weight.options()));
  }
  // Autocast would turn x into float32 and leave the result so, three times the bytes; the kernel
  // computes in float32 all the same.
  const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
  const auto type = x.scalar_type();
  return at::layer_norm(x, weight.sizes(), weight.to(type), bias.defined() ? bias.to(type) : bias,
                        1e-5);
}

}  // namespace askos::model
