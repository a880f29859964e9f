// SPDX-License-Identifier: Apache-2.0
#include "nccl/nccl_mover.hpp"
#include "ordered/ordered_communicator.hpp"

#include <askos/comm/device_ranks.hpp>

#include <utility>

namespace askos::comm {

struct DeviceRanks::Impl {
  OrderedRun run;
};

DeviceRanks::DeviceRanks(std::shared_ptr<Rendezvous> rendezvous, const DeviceOptions& options)
    : impl_(new Impl{.run = OrderedRun(std::move(rendezvous),
                                       std::make_unique<NcclMover>(options.device),
                                       options.heartbeat)}) {}

DeviceRanks::~DeviceRanks() = default;

int DeviceRanks::rank() const noexcept {
  return impl_->run.rank();
}

int DeviceRanks::size() const noexcept {
  return impl_->run.size();
}

std::unique_ptr<Communicator> DeviceRanks::make_communicator(const LocalOptions& options) {
  return make_ordered_communicator(impl_->run, options);
}

void DeviceRanks::expect_heartbeats(Nanoseconds heartbeat) noexcept {
  impl_->run.expect_heartbeats(heartbeat);
}

void DeviceRanks::fail(const Error& error) noexcept {
  impl_->run.fail(kWholeRun, error);
}

std::optional<Error> DeviceRanks::failure() const {
  return impl_->run.failure();
}

}  // namespace askos::comm
