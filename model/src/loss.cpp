// SPDX-License-Identifier: Apache-2.0
#include "parallel.hpp"

#include <askos/base/error.hpp>
#include <askos/model/loss.hpp>

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <sstream>

namespace askos::model {
namespace {

/// Rows (all variables of one node and step) whose errors are added up together. Fixed, so that
/// the sum does not depend on the number of threads.
constexpr std::int64_t kRowsPerBlock = 256;

/// A scaler as the loop reads it: stride 0 where an axis has length 1.
template <typename T>
struct ScalerView {
  const T* data;
  std::array<std::int64_t, 4> strides;
};

template <typename T>
class SquaredError {
 public:
  SquaredError(const at::Tensor& prediction,
               const at::Tensor& target,
               const std::vector<at::Tensor>& scalers)
      : prediction_(prediction.const_data_ptr<T>()), target_(target.const_data_ptr<T>()) {
    for (std::size_t axis = 0; axis < 4; ++axis) sizes_[axis] = prediction.size(axis);
    for (const auto& scaler : scalers) {
      ScalerView<T> view{scaler.const_data_ptr<T>(), {}};
      for (std::size_t axis = 0; axis < 4; ++axis) {
        view.strides[axis] = scaler.size(axis) == 1 ? 0 : scaler.stride(axis);
      }
      scalers_.push_back(view);
    }
  }

  [[nodiscard]] std::int64_t rows_per_entry() const { return sizes_[1] * sizes_[2]; }
  [[nodiscard]] std::int64_t blocks_per_entry() const {
    return (rows_per_entry() + kRowsPerBlock - 1) / kRowsPerBlock;
  }

  /// Adds up one block of one batch entry.
  [[nodiscard]] double sum(std::int64_t block) const {
    double total = 0;
    for_each_row(block, [&](std::int64_t row, const std::vector<T>& factors) {
      const T* y = prediction_ + row * sizes_[3];
      const T* x = target_ + row * sizes_[3];
      double mean = 0;
      for (std::int64_t v = 0; v < sizes_[3]; ++v) {
        const T difference = y[v] - x[v];
        mean += static_cast<double>(factors[static_cast<std::size_t>(v)] * difference * difference);
      }
      total += mean / static_cast<double>(sizes_[3]);
    });
    return total;
  }

  /// Writes the gradient of one block, times the gradient of its batch entry.
  void gradient(std::int64_t block, const double* of_entry, T* gradient) const {
    const double scale = 2 * of_entry[block / blocks_per_entry()] / static_cast<double>(sizes_[3]);
    for_each_row(block, [&](std::int64_t row, const std::vector<T>& factors) {
      const std::int64_t at = row * sizes_[3];
      for (std::int64_t v = 0; v < sizes_[3]; ++v) {
        gradient[at + v] = static_cast<T>(scale) * factors[static_cast<std::size_t>(v)] *
                           (prediction_[at + v] - target_[at + v]);
      }
    });
  }

 private:
  /// Calls `use(row, factors)` for the rows of a block; `factors` is the product of the scalers for
  /// each variable, built for one row at a time.
  template <typename Use>
  void for_each_row(std::int64_t block, const Use& use) const {
    const std::int64_t entry = block / blocks_per_entry();
    const std::int64_t first = block % blocks_per_entry() * kRowsPerBlock;
    const std::int64_t last = std::min(first + kRowsPerBlock, rows_per_entry());
    std::vector<T> factors(static_cast<std::size_t>(sizes_[3]));
    for (std::int64_t row = first; row < last; ++row) {
      const std::array<std::int64_t, 3> at = {entry, row / sizes_[2], row % sizes_[2]};
      std::fill(factors.begin(), factors.end(), T(1));
      for (const auto& scaler : scalers_) {
        const T* values = scaler.data;
        for (std::size_t axis = 0; axis < 3; ++axis) values += at[axis] * scaler.strides[axis];
        for (std::size_t v = 0; v < factors.size(); ++v) {
          factors[v] *= values[static_cast<std::int64_t>(v) * scaler.strides[3]];
        }
      }
      use(entry * rows_per_entry() + row, factors);
    }
  }

  const T* prediction_;
  const T* target_;
  std::array<std::int64_t, 4> sizes_{};
  std::vector<ScalerView<T>> scalers_;
};

struct SquaredErrorFunction : torch::autograd::Function<SquaredErrorFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& prediction,
                            const at::Tensor& target,
                            const std::vector<at::Tensor>& scalers) {
    const at::Tensor y = prediction.contiguous();
    const at::Tensor x = target.contiguous();
    at::Tensor loss = at::zeros({y.size(0)}, at::kDouble);
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "squared_error", [&] {
      const SquaredError<scalar_t> error(y, x, scalers);
      std::vector<double> sums(static_cast<std::size_t>(y.size(0) * error.blocks_per_entry()));
      parallel_for(static_cast<std::int64_t>(sums.size()), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto block = begin; block < end; ++block) {
                       sums[static_cast<std::size_t>(block)] = error.sum(block);
                     }
                   });
      for (std::int64_t b = 0; b < y.size(0); ++b) {
        const auto first = sums.begin() + b * error.blocks_per_entry();
        loss.data_ptr<double>()[b] = std::accumulate(first, first + error.blocks_per_entry(), 0.0);
      }
    });
    torch::autograd::variable_list saved = {y, x};
    saved.insert(saved.end(), scalers.begin(), scalers.end());
    context->save_for_backward(saved);
    return loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const std::vector<at::Tensor> scalers(saved.begin() + 2, saved.end());
    const at::Tensor of_entries = gradients[0].contiguous();
    at::Tensor gradient = at::empty_like(saved[0]);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "squared_error_backward", [&] {
      const SquaredError<scalar_t> error(saved[0], saved[1], scalers);
      parallel_for(saved[0].size(0) * error.blocks_per_entry(), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto block = begin; block < end; ++block) {
                       error.gradient(block, of_entries.const_data_ptr<double>(),
                                      gradient.data_ptr<scalar_t>());
                     }
                   });
    });
    return {gradient, at::Tensor(), at::Tensor()};
  }
};

at::Tensor along(std::int64_t axis, const std::vector<double>& values) {
  std::vector<std::int64_t> shape(4, 1);
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(values.size());
  return at::tensor(values, at::kDouble).view(shape);
}

void check_shapes(const at::Tensor& prediction,
                  const at::Tensor& target,
                  const std::vector<Scaler>& scalers) {
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
  if (prediction.dim() != 4 || target.sizes() != prediction.sizes() ||
      target.scalar_type() != prediction.scalar_type()) {
    refuse("target", target);
  }
  for (const Scaler& scaler : scalers) {
    if (scaler.values.dim() != 4) refuse(scaler.name, scaler.values);
    for (std::int64_t axis = 0; axis < 4; ++axis) {
      const auto size = scaler.values.size(axis);
      if (size != 1 && size != prediction.size(axis)) refuse(scaler.name, scaler.values);
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

std::vector<double> tendency_variance_weights(const std::vector<double>& deviations,
                                              const std::vector<double>& tendency_deviations) {
  ASKOS_CHECK(deviations.size() == tendency_deviations.size());
  std::vector<double> weights;
  for (std::size_t v = 0; v < deviations.size(); ++v) {
    if (!(tendency_deviations[v] > 0)) {
      throw Error(Errc::kInvalidInput, "a variable that never changes cannot be weighed by change")
          .with("variable", v);
    }
    const double ratio = deviations[v] / tendency_deviations[v];
    weights.push_back(ratio * ratio);
  }
  return weights;
}

at::Tensor squared_error(const at::Tensor& prediction,
                         const at::Tensor& target,
                         const std::vector<Scaler>& scalers) {
  check_shapes(prediction, target, scalers);
  std::vector<at::Tensor> values;
  for (const Scaler& scaler : scalers) values.push_back(scaler.values.to(prediction.scalar_type()));
  return SquaredErrorFunction::apply(prediction, target, values);
}

}  // namespace askos::model
