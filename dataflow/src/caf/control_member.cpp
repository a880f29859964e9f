// SPDX-License-Identifier: Apache-2.0
#include "caf/control_messages.hpp"
#include "inspector_verbs.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control_network.hpp>
#include <askos/dataflow/inspector.hpp>

#include <unistd.h>

#include <array>
#include <mutex>
#include <vector>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kJoinDeadline = std::chrono::seconds(20);

/// The sessions that can be asked about; any thread.
class Sessions {
 public:
  int add(const Session& session) {
    const std::lock_guard lock(mutex_);
    sessions_.push_back({.number = ++num_added_, .session = &session, .history = {}});
    return num_added_;
  }

  /// Returns when nobody looks at the session any more.
  void remove(int number) {
    const std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [=](const auto& entry) { return entry.number == number; });
  }

  [[nodiscard]] ControlReading read() const {
    const std::lock_guard lock(mutex_);
    ControlReading reading{.now = steady_clock().now().count(), .sessions = {}, .statuses = {}};
    for (const auto& inspected : sessions_) {
      (void)inspected.session->control().tend();
      reading.sessions.push_back(inspected.number);
      reading.statuses.push_back(inspected.session->status());
    }
    return reading;
  }

  [[nodiscard]] std::string answer(const ControlQuestion& question,
                                   const std::string& token) const {
    const std::lock_guard lock(mutex_);
    if (!equal_in_constant_time(question.token, token)) return refuse("another run token");
    return dataflow::answer(question.request, sessions_);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<InspectedSession> sessions_;
  int num_added_ = 0;
};

caf::behavior member_actor(caf::event_based_actor* /*self*/,
                           const std::shared_ptr<Sessions>& sessions,
                           const std::string& token) {
  return {[sessions](caf::get_atom) { return sessions->read(); },
          [sessions, token](const ControlQuestion& question) {
            return sessions->answer(question, token);
          }};
}

std::string host_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

Error cannot_join(const ControlAddress& address, const std::string& reason) {
  return Error(Errc::kEnvironment, "cannot reach the first process of this run")
      .with("address", address.host + ":" + std::to_string(address.port))
      .with("reason", reason);
}

}  // namespace

struct ControlMember::Impl {
  ControlSystem system;
  std::shared_ptr<Sessions> sessions = std::make_shared<Sessions>();
  caf::actor actor;
};

ControlMember::ControlMember(const ControlAddress& address, int rank)
    : impl_(std::make_shared<Impl>()) {
  auto& system = impl_->system.get();
  const auto hub = system.middleman().remote_actor(address.host, address.port);
  if (!hub) {
    throw cannot_join(address, caf::to_string(hub.error()));
  }
  impl_->actor = system.spawn(member_actor, impl_->sessions, address.token);
  const caf::scoped_actor self(system);
  const ControlGreeting greeting{
      .token = address.token, .rank = rank, .host = host_name(), .pid = ::getpid()};
  std::string refusal;
  caf_compat::request(self, *hub, kJoinDeadline, greeting, impl_->actor)
      .receive([&](bool welcome) { refusal = welcome ? "" : "it knows another run token"; },
               [&](const caf::error& error) { refusal = caf::to_string(error); });
  if (!refusal.empty()) {
    caf_compat::stop(impl_->actor);
    throw cannot_join(address, refusal);
  }
}

ControlMember::~ControlMember() {
  caf_compat::stop(impl_->actor);
}

std::shared_ptr<void> ControlMember::attach(const Session& session) {
  const int number = impl_->sessions->add(session);
  return {nullptr, [sessions = impl_->sessions, number](void*) { sessions->remove(number); }};
}

}  // namespace askos::dataflow
