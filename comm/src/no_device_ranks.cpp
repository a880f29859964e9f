// SPDX-License-Identifier: Apache-2.0
// What `DeviceRanks` is in a build without CUDA: a refusal.
#include <askos/comm/device_ranks.hpp>

namespace askos::comm {

struct DeviceRanks::Impl {};

DeviceRanks::DeviceRanks(std::shared_ptr<Rendezvous> /*rendezvous*/,
                         const DeviceOptions& /*options*/) {
  throw Error(Errc::kEnvironment, "this askos was built without CUDA (ASKOS_WITH_CUDA)");
}

DeviceRanks::~DeviceRanks() = default;
int DeviceRanks::rank() const noexcept {
  return 0;
}
int DeviceRanks::size() const noexcept {
  return 1;
}
std::unique_ptr<Communicator> DeviceRanks::make_communicator(const LocalOptions& /*options*/) {
  return nullptr;
}
void DeviceRanks::expect_heartbeats(Nanoseconds /*heartbeat*/) noexcept {}
void DeviceRanks::fail(const Error& /*error*/) noexcept {}
std::optional<Error> DeviceRanks::failure() const {
  return std::nullopt;
}

}  // namespace askos::comm
