// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/input_advance.hpp>

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::model {

InputAdvance::InputAdvance(const ModelConfig& config, at::Tensor interior) {
  const auto& [inputs, outputs] = config.variables;
  for (const auto& name : inputs) {
    const auto found = std::ranges::find(outputs, name);
    outputs_.push_back(found == outputs.end() ? -1 : found - outputs.begin());
  }
  has_forcings_ = std::ranges::count(outputs_, -1) > 0;
  if (interior.defined()) interior_ = interior.view({1, 1, -1, 1});
}

bool InputAdvance::needs_truth() const noexcept {
  return has_forcings_ || interior_.defined();
}

at::Tensor InputAdvance::newest(const at::Tensor& y, const at::Tensor& truth) const {
  std::vector<at::Tensor> columns;
  for (std::size_t v = 0; v < outputs_.size(); ++v) {
    columns.push_back(outputs_[v] < 0 ? truth.select(-1, static_cast<std::int64_t>(v))
                                      : y.select(-1, outputs_[v]));
  }
  const at::Tensor columns_of_y = at::stack(columns, -1);
  return interior_.defined() ? at::where(interior_, columns_of_y, truth) : columns_of_y;
}

at::Tensor InputAdvance::operator()(const at::Tensor& x,
                                    const at::Tensor& y,
                                    const at::Tensor& truth) const {
  ASKOS_CHECK(truth.defined() || !needs_truth());
  const at::Tensor rolled = at::cat({x, newest(y, truth)}, 1);
  return rolled.narrow(1, rolled.size(1) - x.size(1), x.size(1)).contiguous();
}

}  // namespace askos::model
