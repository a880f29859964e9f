// SPDX-License-Identifier: Apache-2.0
// What `Processes` is in a build without MPI: this process alone.
#include <askos/comm/processes.hpp>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace askos::comm {

struct Processes::Impl {};

int Processes::num_launched() noexcept {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  return size == nullptr ? 1 : std::max(1, std::atoi(size));
}

Processes::Processes() {
  if (num_launched() > 1) {
    throw Error(Errc::kEnvironment, "this askos was built without MPI (ASKOS_WITH_MPI)")
        .with("processes", num_launched());
  }
}

Processes::~Processes() = default;
int Processes::rank() const noexcept {
  return 0;
}
int Processes::size() const noexcept {
  return 1;
}
int Processes::num_on_this_host() const {
  return 1;
}
std::unique_ptr<Communicator> Processes::make_communicator(const LocalOptions& options) {
  return std::move(make_local_group(1, options).front());
}
void Processes::expect_heartbeats(Nanoseconds /*heartbeat*/) {}
void Processes::fail(const Error& /*error*/) noexcept {}
std::optional<Error> Processes::failure() const {
  return std::nullopt;
}

}  // namespace askos::comm
