// SPDX-License-Identifier: Apache-2.0
#include "loss_loop.hpp"
#include "loss_tensors.hpp"
#include "parallel.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/loss.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace askos::model {
namespace {

/// Adds up the blocks [batch, block, width] of each batch entry in a fixed order.
void add_blocks(const at::Tensor& sums, at::Tensor& loss) {
  const auto from = sums.accessor<double, 3>();
  auto to = loss.accessor<double, 2>();
  for (std::int64_t b = 0; b < sums.size(0); ++b) {
    for (std::int64_t i = 0; i < sums.size(1); ++i) {
      for (std::int64_t w = 0; w < sums.size(2); ++w) to[b][w] += from[b][i][w];
    }
  }
}

struct Plan final : torch::CustomClassHolder, LossPlan {};

struct PartialLoss : torch::autograd::Function<PartialLoss> {
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& prediction,
                            const at::Tensor& target,
                            const std::vector<at::Tensor>& scalers,
                            const c10::intrusive_ptr<Plan>& plan) {
    const at::Tensor y = prediction.contiguous();
    const at::Tensor x = target.contiguous();
    const bool many = plan->options.per_variable;
    const auto width = many ? static_cast<std::int64_t>(plan->variables.size()) : std::int64_t{1};
    at::Tensor loss;
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "partial_loss", [&] {
      with_error<scalar_t>(*plan, [&](const auto& error) {
        const LossLoop<scalar_t, std::decay_t<decltype(error)>> loop(y, x, scalers, *plan, error);
        const at::Tensor sums = at::zeros({y.size(0), loop.blocks_per_entry(), width}, at::kDouble);
        parallel_for(y.size(0) * loop.blocks_per_entry(), 1,
                     [&](std::int64_t begin, std::int64_t end) {
                       for (auto block = begin; block < end; ++block) {
                         loop.sum(block, sums.data_ptr<double>() + block * width);
                       }
                     });
        loss = at::zeros({y.size(0), width}, at::kDouble);
        add_blocks(sums, loss);
      });
    });
    torch::autograd::variable_list saved = {y, x};
    saved.insert(saved.end(), scalers.begin(), scalers.end());
    context->save_for_backward(saved);
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return many ? loss : loss.squeeze(1);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const std::vector<at::Tensor> scalers(saved.begin() + 2, saved.end());
    const auto capsule = context->saved_data["plan"].toCapsule();
    const auto& plan = *static_cast<const Plan*>(capsule.get());
    const at::Tensor of_entries = gradients[0].contiguous();
    const std::int64_t width = of_entries.dim() == 2 ? of_entries.size(1) : 1;
    at::Tensor gradient = at::zeros_like(saved[0]);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "partial_loss_backward", [&] {
      with_error<scalar_t>(plan, [&](const auto& error) {
        const LossLoop<scalar_t, std::decay_t<decltype(error)>> loop(saved[0], saved[1], scalers,
                                                                     plan, error);
        parallel_for(saved[0].size(0) * loop.blocks_per_entry(), 1,
                     [&](std::int64_t begin, std::int64_t end) {
                       for (auto block = begin; block < end; ++block) {
                         const std::int64_t entry = block / loop.blocks_per_entry();
                         loop.gradient(block, of_entries.const_data_ptr<double>() + entry * width,
                                       gradient.data_ptr<scalar_t>());
                       }
                     });
      });
    });
    return {gradient, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor along(std::int64_t axis, const std::vector<double>& values) {
  std::vector<std::int64_t> shape(4, 1);
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(values.size());
  return at::tensor(values, at::kDouble).view(shape);
}

void check_shapes(const at::Tensor& prediction,
                  const at::Tensor& target,
                  const std::vector<Scaler>& scalers,
                  const LossOptions& options) {
  const auto refuse = [&](const std::string& name, const at::Tensor& tensor) {
    std::ostringstream shape;
    std::ostringstream expected;
    shape << tensor.sizes();
    expected << prediction.sizes();
    throw Error(Errc::kShapeMismatch, "loss of tensors whose shapes do not fit")
        .with("tensor", name)
        .with("shape", shape.str())
        .with("prediction", expected.str());
  };
  auto shape = prediction.sizes().vec();
  const bool crps = options.error == ErrorKind::kCrps;
  if (crps && (shape.size() != 5 || shape[2] < 2)) refuse("prediction", prediction);
  if (crps) shape.erase(shape.begin() + 2);
  if (shape.size() != 4 || target.sizes() != shape ||
      target.scalar_type() != prediction.scalar_type()) {
    refuse("target", target);
  }
  for (const Scaler& scaler : scalers) {
    if (scaler.values.dim() != 4) refuse(scaler.name, scaler.values);
    for (std::int64_t axis = 0; axis < 4; ++axis) {
      const auto size = scaler.values.size(axis);
      if (size != 1 && size != target.size(axis)) refuse(scaler.name, scaler.values);
    }
  }
}

}  // namespace

Scaler node_weights(const std::vector<double>& weights, std::int64_t begin, std::int64_t size) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0))
    throw Error(Errc::kInvalidInput, "node weights add up to nothing").with("sum", sum);
  std::vector<double> own(weights.begin() + begin, weights.begin() + begin + size);
  for (double& weight : own) weight /= sum;
  return {"node_weights", along(2, own)};
}

Scaler variable_weights(const std::vector<double>& weights) {
  return {"variable_weights", along(3, weights)};
}

Scaler time_weights(const std::vector<double>& weights) {
  return {"time_weights", along(1, weights)};
}

Scaler slice_grid(const Scaler& scaler, comm::Range grid) {
  if (scaler.values.size(2) == 1) return scaler;
  return {scaler.name, scaler.values.narrow(2, grid.begin, grid.size())};
}

at::Tensor partial_loss(const at::Tensor& prediction,
                        const at::Tensor& target,
                        const std::vector<Scaler>& scalers,
                        const LossOptions& options) {
  check_shapes(prediction, target, scalers, options);
  auto plan = c10::make_intrusive<Plan>();
  plan->options = options;
  plan->members = options.error == ErrorKind::kCrps ? prediction.size(2) : 1;
  plan->variables = options.variables;
  if (plan->variables.empty()) {
    plan->variables.resize(static_cast<std::size_t>(target.size(3)));
    std::iota(plan->variables.begin(), plan->variables.end(), std::int64_t{0});
  }
  for (const auto variable : plan->variables) {
    if (variable < 0 || variable >= target.size(3)) {
      throw Error(Errc::kInvalidInput, "loss of a variable that there is not")
          .with("variable", variable)
          .with("variables", target.size(3));
    }
  }
  const auto& without = options.without_scalers;
  for (const auto& name : without) {
    if (std::ranges::find(scalers, name, &Scaler::name) == scalers.end()) {
      throw Error(Errc::kNotFound, "scaler to leave out is not there").with("scaler", name);
    }
  }
  std::vector<at::Tensor> values;
  for (const Scaler& scaler : scalers) {
    if (std::ranges::find(without, scaler.name) == without.end()) {
      values.push_back(scaler.values.to(prediction.options()));
    }
  }
  if (!prediction.is_cpu()) return partial_loss_of_tensors(prediction, target, values, *plan);
  return PartialLoss::apply(prediction, target, values, plan);
}

at::Tensor squared_error(const at::Tensor& prediction,
                         const at::Tensor& target,
                         const std::vector<Scaler>& scalers) {
  return partial_loss(prediction, target, scalers, {});
}

at::Tensor total_loss(const at::Tensor& prediction,
                      const at::Tensor& target,
                      const std::vector<LossTerm>& terms,
                      comm::Communicator& ranks) {
  at::Tensor total;
  for (const LossTerm& term : terms) {
    const at::Tensor part = partial_loss(prediction, target, term.scalers, term.options).mean(0);
    const at::Tensor whole = reduce(part, ranks);
    const at::Tensor loss = term.weight * (term.options.root ? whole.sqrt() : whole);
    total = total.defined() ? total + loss : loss;
  }
  return total;
}

}  // namespace askos::model
