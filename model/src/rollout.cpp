// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/rollout.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>

#include <numeric>

namespace askos::model {

Rollout::Rollout(const Network& network, const RolloutOptions& options)
    : network_(network),
      options_(options),
      advance_(network.config(),
               options.interior.defined() ? options.interior.to(network.parameters().device())
                                          : options.interior) {
  ASKOS_CHECK(options.num_members >= 1);
  if (options.ensemble != nullptr && options.ensemble->size() > 1) {
    ensemble_ = options.ensemble->derive(options.ensemble->name() + ".members");
  }
}

Rollout::~Rollout() = default;

int Rollout::num_members() const noexcept {
  return options_.num_members * (ensemble_ ? ensemble_->size() : 1);
}

bool Rollout::speaks() const noexcept {
  return !ensemble_ || ensemble_->rank() == 0;
}

at::Tensor Rollout::for_each_member(const at::Tensor& x) const {
  return options_.num_members == 1 || !x.defined() ? x
                                                   : x.repeat_interleave(options_.num_members, 0);
}

void Rollout::start(const at::Tensor& x,
                    const std::vector<std::int64_t>& samples,
                    std::int64_t draw) {
  samples_ = samples;
  if (samples_.empty()) {
    samples_.resize(static_cast<std::size_t>(x.size(0)));
    std::iota(samples_.begin(), samples_.end(), 0);
  }
  if (static_cast<std::int64_t>(samples_.size()) != x.size(0)) {
    throw Error(Errc::kShapeMismatch, "one name per batch entry is needed")
        .with("names", samples_.size())
        .with("batch", x.size(0));
  }
  input_ = for_each_member(x).contiguous();
  step_ = 0;
  draw_ = draw;
}

ForwardOptions Rollout::forward_options() const {
  constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;  // the golden ratio: seeds far apart
  constexpr std::uint64_t kMostSteps = 1U << 16U;        // of one forecast
  ForwardOptions options{.forecast_step = step_,
                         .noise_seed = options_.noise_seed +
                                       kSpread * (static_cast<std::uint64_t>(draw_) * kMostSteps +
                                                  static_cast<std::uint64_t>(step_ + 1))};
  const std::int64_t own = options_.num_members;
  const std::int64_t first = ensemble_ ? own * ensemble_->rank() : 0;
  for (const auto sample : samples_) {
    for (std::int64_t member = 0; member < own; ++member) {
      options.members.push_back(sample * num_members() + first + member);
    }
  }
  return options;
}

at::Tensor Rollout::forecast() {
  forecast_ = network_.forward(input_, forward_options());
  if (num_members() == 1) return forecast_;
  const std::int64_t own = options_.num_members;
  const auto sizes = forecast_.sizes();
  at::Tensor members = forecast_.view({-1, own, sizes[1], sizes[2], sizes[3]});
  if (ensemble_) {
    // Every rank of the ensemble goes on to compute the same from all members.
    members = gather(members, 1, comm::ShardSizes(static_cast<std::size_t>(ensemble_->size()), own),
                     *ensemble_);
  }
  return members.permute({0, 2, 1, 3, 4}).contiguous();
}

void Rollout::advance(const at::Tensor& truth) {
  input_ = advance_(input_, forecast_, for_each_member(truth));
  ++step_;
}

}  // namespace askos::model
