// SPDX-License-Identifier: Apache-2.0
#include "recompute.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace askos::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Pieces final : torch::CustomClassHolder {
  std::vector<Piece> list;
  std::vector<std::int64_t> sizes;  // of each result along dim
  std::int64_t dim = 0;
  std::size_t num_inputs = 0;
};

std::vector<at::Tensor> parts_of(const Piece& piece, at::TensorList inputs) {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < inputs.size(); ++i) parts.push_back(piece.slices[i].of(inputs[i]));
  return parts;
}

/// Runs one piece again with recording and adds its gradients to those of inputs and parameters.
void run_backward(const Piece& piece,
                  const variable_list& inputs,
                  const variable_list& parameters,
                  const at::Tensor& gradient,
                  variable_list& gradients) {
  std::vector<at::Tensor> parts = parts_of(piece, inputs);
  variable_list wanted;
  std::vector<std::size_t> wanted_at;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = parts[i].detach();
    if (gradients[i].defined()) {
      parts[i].set_requires_grad(true);
      wanted.push_back(parts[i]);
      wanted_at.push_back(i);
    }
  }
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    wanted.push_back(parameters[p]);
    wanted_at.push_back(inputs.size() + p);
  }
  at::Tensor result;
  {
    const c10::AutoGradMode grad(true);
    result = piece.run(parts);
  }
  const variable_list found = torch::autograd::grad({result}, wanted, {gradient}, std::nullopt,
                                                    /*create_graph=*/false, /*allow_unused=*/true);
  for (std::size_t w = 0; w < wanted.size(); ++w) {
    if (!found[w].defined()) continue;
    const std::size_t at = wanted_at[w];
    if (at < inputs.size()) {
      piece.slices[at].add_to(gradients[at], found[w]);
    } else if (gradients[at].defined()) {
      gradients[at].add_(found[w]);
    } else {
      gradients[at] = found[w];
    }
  }
}

struct Recompute : torch::autograd::Function<Recompute> {
  /// `tensors`: inputs, then parameters.
  static at::Tensor forward(AutogradContext* context,
                            const c10::intrusive_ptr<Pieces>& pieces,
                            at::TensorList tensors) {
    std::vector<at::Tensor> results;
    for (const auto& piece : pieces->list) {
      results.push_back(piece.run(parts_of(piece, tensors.slice(0, pieces->num_inputs))));
      pieces->sizes.push_back(results.back().size(pieces->dim));
    }
    context->saved_data["pieces"] = c10::IValue::make_capsule(pieces);
    context->save_for_backward(tensors.vec());
    return results.size() == 1 ? results[0] : at::cat(results, pieces->dim);
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    const auto capsule = context->saved_data["pieces"].toCapsule();
    const auto& pieces = *static_cast<const Pieces*>(capsule.get());
    const variable_list saved = context->get_saved_variables();
    const auto inputs_end = saved.begin() + static_cast<std::ptrdiff_t>(pieces.num_inputs);
    const variable_list inputs(saved.begin(), inputs_end);
    const variable_list parameters(inputs_end, saved.end());
    variable_list gradients(saved.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].requires_grad()) gradients[i] = at::zeros_like(inputs[i]);
    }
    std::int64_t offset = 0;
    for (std::size_t p = 0; p < pieces.list.size(); ++p) {
      run_backward(pieces.list[p], inputs, parameters,
                   outputs[0].narrow(pieces.dim, offset, pieces.sizes[p]), gradients);
      offset += pieces.sizes[p];
    }
    gradients.insert(gradients.begin(), at::Tensor());  // of the pieces
    return gradients;
  }
};

}  // namespace

at::Tensor Slice::of(const at::Tensor& x) const {
  if (dim == kWhole) return x;
  return positions.defined() ? x.index_select(dim, positions) : x.narrow(dim, begin, size);
}

void Slice::add_to(const at::Tensor& whole, const at::Tensor& part) const {
  if (dim == kWhole) {
    whole.add_(part);
  } else if (positions.defined()) {
    whole.index_add_(dim, positions, part);
  } else {
    whole.narrow(dim, begin, size).add_(part);
  }
}

at::Tensor recompute(std::vector<Piece> pieces,
                     std::int64_t dim,
                     const std::vector<at::Tensor>& inputs,
                     const std::vector<at::Tensor>& parameters) {
  auto holder = c10::make_intrusive<Pieces>();
  holder->list = std::move(pieces);
  holder->dim = dim;
  holder->num_inputs = inputs.size();
  std::vector<at::Tensor> tensors = inputs;
  tensors.insert(tensors.end(), parameters.begin(), parameters.end());
  return Recompute::apply(holder, at::TensorList(tensors));
}

}  // namespace askos::model
