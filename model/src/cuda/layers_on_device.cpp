// SPDX-License-Identifier: Apache-2.0
#include "../layers_on_device.hpp"

#include "column_sums.hpp"
#include "gelu.hpp"
#include "layer_norm.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

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
                              /*added=*/nullptr, grad_x.data_ptr(),
                              grad_parameters.data_ptr<float>(), workspace.data_ptr<float>(),
                              c10::cuda::getCurrentCUDAStream()));
    const auto of = [&](std::int64_t table) {
      return grad_parameters.narrow(0, table * shape.num_channels, shape.num_channels);
    };
    const bool has_bias = context->saved_data["has_bias"].toBool();
    return {grad_x, of(0), has_bias ? of(1) : at::Tensor()};
  }
};

/// Adds a sum over some rows to that over the rows before them.
void add_to(at::Tensor& sum, const at::Tensor& more) {
  sum = sum.defined() ? sum.add_(more) : more;
}

/// Rows of a function that keeps little: what it makes again is held for so many at once.
constexpr std::int64_t kRowsAtOnce = 65'536;

template <typename Work>
void for_rows(std::int64_t num_rows, Work work) {
  for (std::int64_t begin = 0; begin < num_rows; begin += kRowsAtOnce) {
    work(begin, std::min(kRowsAtOnce, num_rows - begin));
  }
}

/// The norm of rows, made where they are needed and not kept.
struct Normed {
  at::Tensor rows;
  at::Tensor statistics;

  Normed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias)
      : rows(at::empty_like(x)), statistics(floats(static_cast<std::size_t>(2 * x.size(0)), x)) {
    check(cuda::norm_forward(DeviceNorm::shape_of(x), x.const_data_ptr(),
                             weight.const_data_ptr<float>(), bias.const_data_ptr<float>(),
                             rows.data_ptr(), statistics.data_ptr<float>(),
                             c10::cuda::getCurrentCUDAStream()));
  }

  /// Takes the gradient of `rows` from there; writes that of x, with `added` if defined, to
  /// `grad_x` and returns those of scale and shift, [2 * channel].
  [[nodiscard]] at::Tensor backward(const at::Tensor& x,
                                    const at::Tensor& weight,
                                    const at::Tensor& added,
                                    const at::Tensor& grad_x) const {
    const cuda::NormShape shape = DeviceNorm::shape_of(x);
    at::Tensor parameters = floats(static_cast<std::size_t>(2 * shape.num_channels), x);
    const at::Tensor workspace = floats(cuda::norm_workspace(shape), x);
    check(cuda::norm_backward(shape, x.const_data_ptr(), weight.const_data_ptr<float>(),
                              statistics.const_data_ptr<float>(), rows.const_data_ptr(),
                              added.defined() ? added.const_data_ptr() : nullptr,
                              grad_x.mutable_data_ptr(), parameters.data_ptr<float>(),
                              workspace.data_ptr<float>(), c10::cuda::getCurrentCUDAStream()));
    return parameters;
  }
};

struct DeviceNormedLinear : torch::autograd::Function<DeviceNormedLinear> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& norm_weight,
                            const at::Tensor& norm_bias,
                            const at::Tensor& weight,
                            const at::Tensor& bias) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const c10::cuda::CUDAGuard guard(x.device());
    const auto type = x.scalar_type();
    const at::Tensor rows = x.view({-1, x.size(-1)});
    const at::Tensor factors = weight.to(type);
    const at::Tensor result =
        at::linear(Normed(rows, norm_weight, norm_bias).rows, factors, bias.to(type));
    context->save_for_backward({x, factors, norm_weight, norm_bias});
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return result.view(sizes);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const auto saved = context->get_saved_variables();
    const at::Tensor rows = saved[0].view({-1, saved[0].size(-1)});
    const c10::cuda::CUDAGuard guard(rows.device());
    const at::Tensor all_g = gradients[0].reshape({rows.size(0), -1}).contiguous();
    const at::Tensor grad_x = at::empty_like(rows);
    at::Tensor grad_norm;
    at::Tensor grad_weight;
    for_rows(rows.size(0), [&](std::int64_t begin, std::int64_t size) {
      const at::Tensor own = rows.narrow(0, begin, size);
      const at::Tensor g = all_g.narrow(0, begin, size);
      Normed normed(own, saved[2], saved[3]);
      add_to(grad_weight, at::mm(g.t(), normed.rows, at::kFloat));
      at::mm_out(normed.rows, g, saved[1]);  // now its gradient
      add_to(grad_norm, normed.backward(own, saved[2], {}, grad_x.narrow(0, begin, size)));
    });
    const std::int64_t channels = rows.size(1);
    return {grad_x.view(saved[0].sizes()), grad_norm.narrow(0, 0, channels),
            grad_norm.narrow(0, channels, channels), grad_weight, sums_of_columns(all_g)};
  }
};

struct DeviceMlp : torch::autograd::Function<DeviceMlp> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& z,
                            const at::Tensor& norm_weight,
                            const at::Tensor& norm_bias,
                            const at::Tensor& weight_in,
                            const at::Tensor& bias_in,
                            const at::Tensor& weight_out,
                            const at::Tensor& bias_out) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const c10::cuda::CUDAGuard guard(z.device());
    const auto type = z.scalar_type();
    const at::Tensor rows = z.view({-1, z.size(-1)});
    const at::Tensor in = weight_in.to(type);
    const at::Tensor out = weight_out.to(type);
    const at::Tensor hidden = at::empty({rows.size(0), in.size(0)}, z.options());
    at::Tensor result = at::empty_like(rows);
    const at::Tensor bias_before = bias_in.to(type);
    const at::Tensor bias_after = bias_out.to(type);
    for_rows(rows.size(0), [&](std::int64_t begin, std::int64_t size) {
      const at::Tensor own = rows.narrow(0, begin, size);
      at::Tensor own_hidden = hidden.narrow(0, begin, size);
      at::addmm_out(own_hidden, bias_before, Normed(own, norm_weight, norm_bias).rows, in.t());
      at::Tensor own_result = result.narrow(0, begin, size);
      at::addmm_out(own_result, bias_after, at::gelu(own_hidden), out.t());
      own_result.add_(own);
    });
    context->save_for_backward({z, hidden, in, out, norm_weight, norm_bias});
    return result.view(z.sizes());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const WithoutAutocast no_autocast(c10::autocast_dispatch_keyset);
    const auto saved = context->get_saved_variables();
    const at::Tensor rows = saved[0].view({-1, saved[0].size(-1)});
    const at::Tensor& hidden = saved[1];
    const at::Tensor& in = saved[2];
    const at::Tensor& out = saved[3];
    const at::Tensor& norm_weight = saved[4];
    const at::Tensor& norm_bias = saved[5];
    const c10::cuda::CUDAGuard guard(rows.device());
    const auto stream = c10::cuda::getCurrentCUDAStream();
    const at::Tensor all_g = gradients[0].contiguous().view(rows.sizes());
    const auto element = element_of(rows);
    const std::int64_t width = hidden.size(1);
    at::Tensor grad_z = at::empty_like(rows);
    at::Tensor grad_norm;
    at::Tensor grad_in;
    at::Tensor grad_bias_in;
    at::Tensor grad_out;
    for_rows(rows.size(0), [&](std::int64_t begin, std::int64_t size) {
      const at::Tensor own = rows.narrow(0, begin, size);
      const at::Tensor g = all_g.narrow(0, begin, size);
      at::Tensor active = at::empty({size, width}, rows.options());
      at::Tensor slope = g.mm(out);  // of the GELU's result, then of its argument
      at::Tensor sums = floats(static_cast<std::size_t>(width), rows);
      const at::Tensor gelu_workspace = floats(cuda::gelu_workspace(size, width), rows);
      check(cuda::gelu_backward(element, hidden.narrow(0, begin, size).const_data_ptr(),
                                slope.const_data_ptr(), size, width, active.data_ptr(),
                                slope.data_ptr(), sums.data_ptr<float>(),
                                gelu_workspace.data_ptr<float>(), stream));
      add_to(grad_bias_in, sums);
      add_to(grad_out, at::mm(g.t(), active, at::kFloat));
      Normed normed(own, norm_weight, norm_bias);
      add_to(grad_in, at::mm(slope.t(), normed.rows, at::kFloat));
      at::mm_out(normed.rows, slope, in);  // now its gradient
      add_to(grad_norm, normed.backward(own, norm_weight, g, grad_z.narrow(0, begin, size)));
    });
    const std::int64_t channels = rows.size(1);
    return {grad_z.view(saved[0].sizes()),
            grad_norm.narrow(0, 0, channels),
            grad_norm.narrow(0, channels, channels),
            grad_in,
            grad_bias_in,
            grad_out,
            sums_of_columns(all_g)};
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

bool takes_normed(const at::Tensor& x, const at::Tensor& norm_bias) {
  const auto type = at::autocast::get_autocast_dtype(at::kCUDA);
  return at::autocast::is_autocast_enabled(at::kCUDA) && x.scalar_type() == type &&
         norm_bias.defined() && norm_bias.scalar_type() == at::kFloat && x.numel() > 0 &&
         x.is_contiguous() && is_aligned(x) && cuda::norms(DeviceNorm::shape_of(x));
}

at::Tensor normed_linear_on_device(const at::Tensor& x,
                                   const at::Tensor& norm_weight,
                                   const at::Tensor& norm_bias,
                                   const at::Tensor& weight,
                                   const at::Tensor& bias) {
  return DeviceNormedLinear::apply(x, norm_weight, norm_bias, weight, bias);
}

bool takes_normed_mlp(const at::Tensor& z, const NormedMlp& mlp) {
  return takes_normed(z, mlp.norm_bias) && cuda::has_gelu(element_of(z), mlp.weight_in.size(0));
}

at::Tensor normed_mlp_on_device(const at::Tensor& z, const NormedMlp& mlp) {
  return DeviceMlp::apply(z, mlp.norm_weight, mlp.norm_bias, mlp.weight_in, mlp.bias_in,
                          mlp.weight_out, mlp.bias_out);
}

}  // namespace askos::model
