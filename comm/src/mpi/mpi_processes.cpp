// SPDX-License-Identifier: Apache-2.0
#include "calling_communicator.hpp"
#include "group_work.hpp"
#include "mpi/mpi_hub.hpp"

#include <askos/comm/processes.hpp>
#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

namespace askos::comm {
namespace {

using telemetry::ScopedState;
using telemetry::State;

using MpiWork = GroupWork<MpiGroup, MpiCollective>;

class MpiCommunicator final : public CallingCommunicator {
 public:
  explicit MpiCommunicator(std::shared_ptr<MpiGroup> group) noexcept : group_(std::move(group)) {}

  [[nodiscard]] int rank() const noexcept override { return group_->rank(); }
  [[nodiscard]] int size() const noexcept override { return group_->size(); }
  [[nodiscard]] const std::string& name() const noexcept override { return group_->name(); }

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    const ScopedState state(State::kWaitComm);
    return std::make_unique<MpiCommunicator>(group_->split(color, {name, group_->deadline()}));
  }

  void abort(const std::string& reason) noexcept override { group_->abort(reason); }

 private:
  [[nodiscard]] WorkPtr enter(Call call) override {
    return std::make_unique<MpiWork>(group_, group_->enter(std::move(call)));
  }
  [[nodiscard]] std::int64_t sent_bytes(const Call& call) const noexcept override {
    return message_bytes(call, rank(), size());
  }

  std::shared_ptr<MpiGroup> group_;
};

/// Processes that make a communicator may come from reading different files.
constexpr Nanoseconds kStartDeadline = std::chrono::minutes(2);

int number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace

struct Processes::Impl {
  std::shared_ptr<MpiHub> hub;    // none if this process is alone
  std::shared_ptr<MpiGroup> all;  // what others are split from, so that they agree on contexts
};

int Processes::num_launched() noexcept {
  return std::max(
      {1, number_in_environment("OMPI_COMM_WORLD_SIZE"), number_in_environment("PMI_SIZE")});
}

Processes::Processes() : impl_(std::make_unique<Impl>()) {
  if (num_launched() > 1) {
    impl_->hub = std::make_shared<MpiHub>();
    std::vector<int> all(static_cast<std::size_t>(size()));
    std::iota(all.begin(), all.end(), 0);
    impl_->all = impl_->hub->add(0, std::move(all), rank(), {"processes", kStartDeadline});
  }
}

Processes::~Processes() {
  impl_->all = nullptr;
  if (impl_->hub) {
    impl_->hub->wait_until_released();
  }
}

int Processes::rank() const noexcept {
  return impl_->hub ? impl_->hub->rank() : 0;
}

int Processes::size() const noexcept {
  return impl_->hub ? impl_->hub->size() : 1;
}

int Processes::num_on_this_host() const {
  int num = 0;
  for (int r = 0; r < size(); ++r) {
    num += r == rank() || impl_->hub->host(r) == impl_->hub->host(rank()) ? 1 : 0;
  }
  return num;
}

std::unique_ptr<Communicator> Processes::make_communicator(const LocalOptions& options) {
  if (!impl_->hub) {
    return std::move(make_local_group(1, options).front());
  }
  return std::make_unique<MpiCommunicator>(impl_->all->split(0, {options.name, options.deadline}));
}

void Processes::expect_heartbeats(Nanoseconds heartbeat) {
  if (impl_->hub) {
    impl_->hub->expect_heartbeats(heartbeat);
  }
}

void Processes::fail(const Error& error) noexcept {
  if (impl_->hub) {
    impl_->hub->fail_run(error);
  }
}

std::optional<Error> Processes::failure() const {
  return impl_->hub ? impl_->hub->failure() : std::nullopt;
}

}  // namespace askos::comm
