// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace askos::model {

/// Lays parameters and gradients out in two flat tensors and sums the gradients over all ranks
/// while the backward pass still runs.
///
/// Every rank holds the gradient of its shard's part of the loss, for each parameter alike, so the
/// sum over ranks is the gradient; nothing depends on a parameter's name. The flat gradient is cut
/// into buckets from its end (what the decoder uses is complete first); bucket i is sent once it
/// and all before it are complete, so every rank sends them in the same order.
class GradientSum {
 public:
  /// Moves the parameters' values; their tensors stay the same objects. `ranks` is this object's
  /// own order of collectives and must outlive it.
  GradientSum(const Parameters& parameters, comm::Communicator& ranks, std::int64_t bucket_bytes);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  /// Zeroes the gradients. Backward passes from here on add to them.
  void clear();
  /// Says that the next backward pass is the last one before `finish`: what it completes is sent.
  void start();
  /// Sends what is left (also of parameters that had no part in the loss) and waits for all sums.
  void finish();

  [[nodiscard]] const at::Tensor& values() const noexcept { return values_; }
  [[nodiscard]] const at::Tensor& gradients() const noexcept { return gradients_; }
  /// Returns the part of a tensor laid out as `values` that belongs to parameter `i`.
  [[nodiscard]] at::Tensor part(const at::Tensor& flat, std::size_t i) const;

 private:
  struct Bucket {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    int num_parameters = 0;
    int num_missing = 0;
    comm::WorkPtr work;
  };
  class Hook;
  void complete(std::size_t bucket);
  void send_ready();

  comm::Communicator& ranks_;
  std::vector<at::Tensor> parameters_;
  std::vector<std::int64_t> offsets_;
  at::Tensor values_;
  at::Tensor gradients_;
  std::vector<Bucket> buckets_;
  std::size_t num_sent_ = 0;
  bool sends_ = false;
};

}  // namespace askos::model
