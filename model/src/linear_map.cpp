// SPDX-License-Identifier: Apache-2.0
#include "linear_map.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace askos::model {
namespace {

struct Adjoint final : torch::CustomClassHolder {
  explicit Adjoint(TensorMap map) : run(std::move(map)) {}
  TensorMap run;
};

struct LinearMap : torch::autograd::Function<LinearMap> {
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x,
                            const TensorMap& map,
                            TensorMap adjoint) {
    context->saved_data["adjoint"] =
        c10::IValue::make_capsule(c10::make_intrusive<Adjoint>(std::move(adjoint)));
    at::Tensor y = map(x);
    return y.is_same(x) ? y.view_as(y) : y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto adjoint = context->saved_data["adjoint"].toCapsule();
    return {static_cast<Adjoint*>(adjoint.get())->run(gradients[0].contiguous()), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_map(const at::Tensor& x, const TensorMap& forward, TensorMap adjoint) {
  return LinearMap::apply(x, forward, std::move(adjoint));
}

}  // namespace askos::model
