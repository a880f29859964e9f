// SPDX-License-Identifier: Apache-2.0
// What an inspector sees of the pipeline's packets.
#include "stored_tensors.hpp"

#include <askos/actors/payloads.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

namespace askos::actors {
namespace {

/// Adds a tensor of any device and layout; copies from a device wait for it on the caller's thread.
void add(dataflow::PayloadDescription& description, std::string name, const at::Tensor& tensor) {
  if (!tensor.defined()) return;
  description.push_back(
      {.name = std::move(name),
       .shape = tensor.sizes().vec(),
       .dtype = dtype_of(tensor),
       .device = tensor.is_cpu() ? "host" : tensor.device().str(),
       .read = [tensor](std::int64_t first, std::int64_t stride, std::span<double> values) {
         const auto count = static_cast<std::int64_t>(values.size());
         const auto picked = tensor.detach()
                                 .reshape({-1})
                                 .slice(0, first, first + stride * (count - 1) + 1, stride)
                                 .to(at::kCPU, at::kDouble)
                                 .contiguous();
         std::copy_n(picked.data_ptr<double>(), values.size(), values.data());
       }});
}

}  // namespace

dataflow::PayloadDescription describe_payload(const Window& window) {
  if (!window.slot) return {};
  const auto num_samples = static_cast<std::int64_t>(window.weights.size());
  return {dataflow::host_tensor(
      "window", {num_samples, window.num_rows, window.num_cells, window.num_variables},
      window.dtype, window.slot->bytes().data())};
}

dataflow::PayloadDescription describe_payload(const Sample& sample) {
  dataflow::PayloadDescription description;
  add(description, "input", sample.batch.input);
  add(description, "target", sample.batch.target);
  add(description, "later", sample.batch.later);
  return description;
}

dataflow::PayloadDescription describe_payload(const StepReport& report) {
  return {dataflow::host_tensor("loss", {1}, DType::kFloat64, &report.result.loss)};
}

dataflow::PayloadDescription describe_payload(const Prediction& prediction) {
  dataflow::PayloadDescription description;
  add(description, "forecast", prediction.forecast);
  add(description, "members", prediction.members);
  add(description, "truth", prediction.truth);
  return description;
}

}  // namespace askos::actors
