// SPDX-License-Identifier: Apache-2.0
#include "../captured_work.hpp"

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <optional>

namespace askos::model {
namespace {

/// Libraries set themselves up and pick their algorithms in the first runs.
constexpr int kRunsBeforeCapture = 2;

}  // namespace

struct CapturedWork::Parts {
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  std::optional<at::cuda::CUDAGraph> graph;
  int num_runs = 0;
};

CapturedWork::CapturedWork() : parts_(std::make_unique<Parts>()) {}
CapturedWork::~CapturedWork() = default;

void CapturedWork::run(const std::function<void()>& work) {
  const auto outer = c10::cuda::getCurrentCUDAStream();
  at::cuda::CUDAEvent before;
  before.record(outer);
  before.block(parts_->stream);
  {
    const c10::cuda::CUDAStreamGuard guard(parts_->stream);
    if (!parts_->graph && parts_->num_runs++ < kRunsBeforeCapture) {
      work();
    } else {
      if (!parts_->graph) {
        c10::cuda::device_synchronize();
        parts_->graph.emplace();
        parts_->graph->capture_begin();
        work();
        parts_->graph->capture_end();
      }
      parts_->graph->replay();
    }
  }
  at::cuda::CUDAEvent after;
  after.record(parts_->stream);
  after.block(outer);
}

}  // namespace askos::model
