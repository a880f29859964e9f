// SPDX-License-Identifier: Apache-2.0
#include "gradients.hpp"

#include "collectives.hpp"
#include "device_stream.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace askos::model {
namespace {

/// Parameters begin at multiples of this many entries, which keeps them aligned for vector code.
constexpr std::int64_t kAlignment = 16;

}  // namespace

class GradientSum::Hook final : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientSum& sum, std::size_t bucket) : sum_(sum), bucket_(bucket) {}
  void operator()(const at::Tensor& /*parameter*/) override { sum_.complete(bucket_); }

 private:
  GradientSum& sum_;
  std::size_t bucket_;
};

GradientSum::GradientSum(const Parameters& parameters,
                         comm::Communicator& ranks,
                         std::int64_t bucket_bytes)
    : ranks_(ranks) {
  std::int64_t size = 0;
  for (const auto& entry : parameters.all()) {
    parameters_.push_back(entry.tensor);
    offsets_.push_back(size);
    size += (entry.tensor.numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
  const c10::AutoGradMode no_grad(false);
  values_ = at::zeros({size}, parameters.options());
  gradients_ = at::zeros_like(values_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    part(values_, i).copy_(parameters_[i]);
    parameters_[i].set_data(part(values_, i));
    parameters_[i].mutable_grad() = part(gradients_, i);
  }
  if (ranks_.size() == 1) return;
  const auto entries = bucket_bytes / gradients_.element_size();
  std::int64_t end = size;
  for (std::size_t i = parameters_.size(); i-- > 0;) {
    if (buckets_.empty() || end - buckets_.back().begin >= entries) {
      end = buckets_.empty() ? size : buckets_.back().begin;
      buckets_.push_back({.begin = end, .end = end, .work = nullptr});
    }
    Bucket& bucket = buckets_.back();
    bucket.begin = offsets_[i];
    ++bucket.num_parameters;
    torch::autograd::impl::set_post_acc_grad_hooks(
        parameters_[i], std::make_unique<Hook>(*this, buckets_.size() - 1));
  }
}

GradientSum::~GradientSum() {
  for (auto& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

at::Tensor GradientSum::part(const at::Tensor& flat, std::size_t i) const {
  return flat.narrow(0, offsets_[i], parameters_[i].numel()).view(parameters_[i].sizes());
}

void GradientSum::clear() {
  gradients_.zero_();
}

void GradientSum::start() {
  sends_ = true;
  num_sent_ = 0;
  for (Bucket& bucket : buckets_) {
    bucket.num_missing = bucket.num_parameters;
    bucket.work = nullptr;
  }
}

void GradientSum::complete(std::size_t bucket) {
  if (!sends_) return;
  --buckets_[bucket].num_missing;
  send_ready();
}

void GradientSum::send_ready() {
  while (num_sent_ < buckets_.size() && buckets_[num_sent_].num_missing == 0) {
    Bucket& bucket = buckets_[num_sent_++];
    const at::Tensor part = gradients_.narrow(0, bucket.begin, bucket.end - bucket.begin);
    bucket.work = model::start(
        ranks_, part, [&](comm::Communicator& all) { return all.all_reduce(to_buffer(part)); });
  }
}

void GradientSum::finish() {
  for (Bucket& bucket : buckets_) bucket.num_missing = 0;
  send_ready();
  for (Bucket& bucket : buckets_) model::finish(*bucket.work, gradients_);
  sends_ = false;
}

}  // namespace askos::model
