// SPDX-License-Identifier: Apache-2.0
// What a training does about a loss or gradient that is not finite.
#include <askos/actors/checkpointer.hpp>
#include <askos/actors/trainer.hpp>
#include <askos/base/log_text.hpp>
#include <askos/comm/agreement.hpp>

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::actors {
namespace {

/// Names the first variable of `[batch, time, cell, var]` with a value that is not finite; or
/// nothing.
std::string find_not_finite(const at::Tensor& values,
                            const std::string& what,
                            const std::vector<std::string>& variables) {
  for (std::int64_t v = 0; values.defined() && v < values.size(-1); ++v) {
    if (!values.select(-1, v).isfinite().all().item<bool>()) {
      const auto at = static_cast<std::size_t>(v);
      return what + (at < variables.size() ? " " + variables[at] : "");
    }
  }
  return {};
}

}  // namespace

void Trainer::deal_with(const model::StepResult& result, const model::Batch& batch) {
  // What came in names its rank; what went wrong inside is the same on all of them.
  const auto& variables = rank_.run->config.model.variables;
  auto own = find_not_finite(batch.input, "input", variables.input);
  if (own.empty()) own = find_not_finite(batch.target, "target", variables.output);
  const auto told = comm::exchange_texts(*rank_.gradients, own);
  const auto origin = std::ranges::find_if(told, [](const auto& text) { return !text.empty(); });
  Error cause(Errc::kCheckFailed, "loss or gradient is not finite");
  cause.with("step", result.step);
  if (origin != told.end()) {
    cause.with("rank", origin - told.begin()).with("tensor", *origin);
  } else {
    cause.with("rank", "all").with("tensor", trainer_->find_not_finite());
  }
  cause.with("loss", result.loss).with("gradient_norm", result.gradient_norm);

  const auto policy = rank_.run->config.training.on_nan;
  if (policy == NanPolicy::kStop) {
    throw cause;
  }
  if (++num_not_finite_ > kMostNanSteps) {
    throw cause.with("allowed", std::to_string(kMostNanSteps) + " such steps");
  }
  if (policy == NanPolicy::kRollback) {
    roll_back(cause);
  }
  if (rank_.is_root()) {
    log_warning("askos.actors", "step " + std::to_string(result.step) +
                                    (policy == NanPolicy::kSkip ? " skipped: " : " rolled back: ") +
                                    cause.what());
  }
}

void Trainer::roll_back(const Error& cause) {
  const auto folder = checkpoint_folder(rank_.run->config);
  std::string name;
  if (rank_.is_root() && std::filesystem::exists(folder)) {
    if (const auto newest = io::CheckpointStore(folder).find_newest_valid()) {
      name = newest->folder.filename().string();
    }
  }
  name = comm::exchange_texts(*rank_.gradients, name).front();  // all go back to the same one
  if (name.empty()) {
    throw Error(cause).with("rollback", "there is no checkpoint to go back to");
  }
  trainer_->go_back_to(load_from(*rank_.run, folder / name)->state);
}

}  // namespace askos::actors
