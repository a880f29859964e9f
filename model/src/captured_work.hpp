// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

namespace askos::model {

/// Work on a CUDA device that is the same each time, queued as one CUDA graph: what a small model's
/// step costs is the queueing of its thousands of kernels, one by one.
///
/// The work must read and write its tensors at the same places each time and must not wait for the
/// device. It runs on a stream of its own, which waits for the current one and is waited for by it.
class CapturedWork {
 public:
  CapturedWork();
  ~CapturedWork();
  CapturedWork(const CapturedWork&) = delete;
  CapturedWork& operator=(const CapturedWork&) = delete;

  /// Queues `work`, called the first times; then what it did is replayed without calling it.
  void run(const std::function<void()>& work);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace askos::model
