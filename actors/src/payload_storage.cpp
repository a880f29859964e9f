// SPDX-License-Identifier: Apache-2.0
// What recordings keep of the pipeline's packets.
#include "stored_tensors.hpp"

#include <askos/actors/payloads.hpp>
#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <utility>

namespace askos::actors {
namespace {

using dataflow::StoredArrays;

constexpr const char* kState = "state/";

void add(StoredArrays& arrays, const char* name, const at::Tensor& tensor) {
  if (tensor.defined()) arrays.push_back(stored_tensor(name, tensor));
}

at::Tensor find_tensor(const StoredArrays& arrays, const char* name) {
  const auto* const array = dataflow::find_array(arrays, name);
  return array == nullptr ? at::Tensor() : tensor_of(*array);
}

dataflow::StoredArray stored_times(const char* name, const std::vector<io::Time>& times) {
  std::vector<std::int64_t> seconds;
  for (const auto time : times) seconds.push_back(time.time_since_epoch().count());
  return dataflow::stored_integers(name, seconds);
}

std::vector<io::Time> times_of(const StoredArrays& arrays, const char* name) {
  std::vector<io::Time> times;
  for (const auto seconds : dataflow::integers_of(arrays, name)) {
    times.emplace_back(std::chrono::seconds(seconds));
  }
  return times;
}

/// Returns exactly `N` numbers.
template <std::size_t N>
std::array<std::int64_t, N> integers(const StoredArrays& arrays, const char* name) {
  const auto found = dataflow::integers_of(arrays, name);
  if (found.size() != N) {
    throw Error(Errc::kCorruptData, "recorded array has another length")
        .with("array", name)
        .with("expected", N)
        .with("found", found.size());
  }
  std::array<std::int64_t, N> values{};
  std::ranges::copy(found, values.begin());
  return values;
}

}  // namespace

StoredArrays store_payload(const Sample& sample) {
  StoredArrays arrays;
  add(arrays, "input", sample.batch.input);
  add(arrays, "target", sample.batch.target);
  add(arrays, "later", sample.batch.later);
  arrays.push_back(dataflow::stored_numbers("weights", sample.batch.weights));
  arrays.push_back(dataflow::stored_integers("samples", sample.batch.samples));
  arrays.push_back(stored_times("times", sample.times));
  const std::array position{sample.next.epoch, sample.next.sample};
  arrays.push_back(dataflow::stored_integers("epoch_and_sample", position));
  return arrays;
}

void restore_payload(const StoredArrays& arrays, Sample& sample) {
  sample.batch.input = find_tensor(arrays, "input");
  sample.batch.target = find_tensor(arrays, "target");
  sample.batch.later = find_tensor(arrays, "later");
  sample.batch.weights = dataflow::numbers_of(arrays, "weights");
  sample.batch.samples = dataflow::integers_of(arrays, "samples");
  sample.times = times_of(arrays, "times");
  const auto [epoch, number] = integers<2>(arrays, "epoch_and_sample");
  sample.next = {.epoch = epoch, .sample = number};
}

StoredArrays store_payload(const StepReport& report) {
  const auto& result = report.result;
  const std::array numbers{result.loss, result.learning_rate, result.gradient_norm,
                           result.loss_scale};
  const std::array counts{result.step, std::int64_t{result.is_skipped}};
  return {dataflow::stored_numbers("loss_rate_norm_scale", numbers),
          dataflow::stored_integers("step_and_skipped", counts),
          stored_times("samples", report.samples)};
}

void restore_payload(const StoredArrays& arrays, StepReport& report) {
  const auto numbers = dataflow::numbers_of(arrays, "loss_rate_norm_scale");
  if (numbers.size() != 4) throw Error(Errc::kCorruptData, "recorded step lacks numbers");
  const auto [step, skipped] = integers<2>(arrays, "step_and_skipped");
  report.result = {.step = step,
                   .loss = numbers[0],
                   .learning_rate = numbers[1],
                   .gradient_norm = numbers[2],
                   .loss_scale = numbers[3],
                   .is_skipped = skipped != 0};
  report.samples = times_of(arrays, "samples");
}

StoredArrays store_payload(const Snapshot& snapshot) {
  const std::array position{snapshot.step, snapshot.position.epoch, snapshot.position.sample};
  StoredArrays arrays{dataflow::stored_integers("step_epoch_sample", position)};
  for (const auto& [name, tensor] : snapshot.state) {
    arrays.push_back(stored_tensor(kState + name, tensor));
  }
  return arrays;
}

void restore_payload(const StoredArrays& arrays, Snapshot& snapshot) {
  const auto [step, epoch, number] = integers<3>(arrays, "step_epoch_sample");
  snapshot.step = step;
  snapshot.position = {.epoch = epoch, .sample = number};
  for (const auto& array : arrays) {
    if (!array.name.starts_with(kState)) continue;
    snapshot.state[array.name.substr(std::string_view(kState).size())] = tensor_of(array);
  }
}

}  // namespace askos::actors
