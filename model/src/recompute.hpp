// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace askos::model {

/// The part of an input that one piece reads: the whole, a range, or chosen positions of one axis.
struct Slice {
  static constexpr std::int64_t kWhole = -1;

  std::int64_t dim = kWhole;
  std::int64_t begin = 0;
  std::int64_t size = 0;
  at::Tensor positions = {};  ///< int64; defined: these instead of the range

  [[nodiscard]] at::Tensor of(const at::Tensor& x) const;
  /// Adds the gradient of the part to the gradient of the whole.
  void add_to(const at::Tensor& whole, const at::Tensor& part) const;
};

/// One step of a computation: the parts of the inputs that it reads and what it makes of them.
struct Piece {
  std::vector<Slice> slices;  ///< one per input
  std::function<at::Tensor(const std::vector<at::Tensor>& parts)> run;
};

/// Runs the pieces one after another and joins their results along `dim`, keeping only the inputs:
/// backward runs each piece again, one at a time, so that the activations of one piece exist at
/// once. `run` must give the same again; `parameters` are all parameters that it uses.
[[nodiscard]] at::Tensor recompute(std::vector<Piece> pieces,
                                   std::int64_t dim,
                                   const std::vector<at::Tensor>& inputs,
                                   const std::vector<at::Tensor>& parameters);

}  // namespace askos::model
