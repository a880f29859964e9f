// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/run_config.hpp>
#include <askos/base/error.hpp>

#include <string>

namespace askos::actors {
namespace {

/// Collects everything that is wrong into one error.
class Faults {
 public:
  void require(bool holds, const char* key, const char* expected) {
    if (!holds) {
      error_.with(key, expected);
      ++count_;
    }
  }
  void throw_if_any() const {
    if (count_ > 0) {
      throw error_;
    }
  }

 private:
  Error error_{Errc::kInvalidInput, "configuration makes no sense; wanted"};
  int count_ = 0;
};

bool is_range(const comm::Range& range) {
  return range.begin >= 0 && range.end > range.begin;
}

}  // namespace

void validate(const RunConfig& config) {
  const auto& [data, graph, model, dtype, training, run] = config;
  Faults faults;
  faults.require(!data.file.empty(), "data.file", "a dataset");
  faults.require(data.num_input_steps > 0, "data.input_steps", "> 0");
  faults.require(data.num_output_steps > 0, "data.output_steps", "> 0");
  faults.require(is_range(data.train_rows), "data.train_rows", "0 <= first < end");
  faults.require(is_range(data.test_rows), "data.test_rows", "0 <= first < end");
  faults.require(dtype == DType::kFloat32 || dtype == DType::kFloat64, "model.dtype",
                 "float32 or float64");
  faults.require(training.steps >= 0, "training.steps", ">= 0");
  faults.require(training.batch_size > 0, "training.batch_size", "> 0");
  faults.require(training.learning_rate >= 0, "training.learning_rate", ">= 0");
  faults.require(training.warmup_steps >= 0, "training.warmup_steps", ">= 0");
  faults.require(training.weight_decay >= 0, "training.weight_decay", ">= 0");
  faults.require(training.clip_norm >= 0, "training.clip_norm", ">= 0");
  faults.require(training.clip_value >= 0, "training.clip_value", ">= 0");
  faults.require(!run.folder.empty(), "run.folder", "a folder");
  faults.require(run.ranks > 0, "run.ranks", "> 0");
  faults.require(run.prefetch_samples >= 0, "run.prefetch_samples", ">= 0");
  faults.require(run.checkpoint_every >= 0, "run.checkpoint_every", ">= 0");
  faults.require(run.keep_checkpoints > 0, "run.keep_checkpoints", "> 0");
  faults.require(run.deadline > Nanoseconds(0), "run.deadline", "> 0");
  faults.throw_if_any();
}

}  // namespace askos::actors
