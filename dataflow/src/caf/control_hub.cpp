// SPDX-License-Identifier: Apache-2.0
#include "caf/control_messages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control_network.hpp>
#include <askos/dataflow/inspector.hpp>

#include <sys/random.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>

namespace askos::dataflow {
namespace {

/// A process that does not answer for so long is shown as silent.
constexpr Nanoseconds kAnswerDeadline = std::chrono::seconds(2);

std::string make_token() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error(Errc::kEnvironment, "the system gives no random numbers");
  }
  std::string token;
  for (const auto byte : bytes) {
    for (const int half : {byte >> 4, byte & 15}) {
      token += "0123456789abcdef"[half];
    }
  }
  return token;
}

/// What is known of the other processes; written by the hub's actor, read by anybody.
class Directory {
 public:
  struct Member {
    PeerProcess process;
    caf::actor actor;
    bool asked = false;
    std::map<int, SessionStatus> sessions;
  };
  struct Joined {
    int rank;
    std::string host;
    caf::actor actor;
  };

  void take_in(const ControlGreeting& greeting, caf::actor actor) {
    const std::lock_guard lock(mutex_);
    members_[greeting.rank] = {.process = {.rank = greeting.rank,
                                           .host = greeting.host,
                                           .pid = greeting.pid,
                                           .answers = true,
                                           .clock_offset = {},
                                           .clock_error = Nanoseconds::max()},
                               .actor = std::move(actor),
                               .asked = false,
                               .sessions = {}};
  }

  /// Those that owe no answer, now asked.
  std::map<int, caf::actor> begin_round() {
    const std::lock_guard lock(mutex_);
    std::map<int, caf::actor> idle;
    for (auto& [rank, member] : members_) {
      if (!std::exchange(member.asked, true)) idle.emplace(rank, member.actor);
    }
    return idle;
  }

  /// The answer to a question of `asked_at` that came at `now`. The clock's reading lies between
  /// the two, so the quickest round trip tells the offset best (Cristian 1989, section 3).
  void answered(int rank, ControlReading reading, Nanoseconds asked_at, Nanoseconds now) {
    const std::lock_guard lock(mutex_);
    auto& member = members_[rank];
    member.asked = false;
    member.process.answers = true;
    if (const auto error = (now - asked_at) / 2; error < member.process.clock_error) {
      member.process.clock_error = error;
      member.process.clock_offset = Nanoseconds(reading.now) - (asked_at + error);
    }
    member.sessions.clear();
    for (std::size_t s = 0; s < reading.sessions.size(); ++s) {
      member.sessions[reading.sessions[s]] = std::move(reading.statuses.at(s));
    }
  }

  void silent(int rank) {
    const std::lock_guard lock(mutex_);
    members_[rank].asked = false;
    members_[rank].process.answers = false;
  }

  [[nodiscard]] std::vector<SessionStatus> readings(int session) const {
    const std::lock_guard lock(mutex_);
    std::vector<SessionStatus> found;
    for (const auto& [rank, member] : members_) {
      if (const auto at = member.sessions.find(session); at != member.sessions.end()) {
        found.push_back(at->second);
      }
    }
    return found;
  }

  /// The process of `rank`, or all; throws `Errc::kStalled` if one has not joined.
  [[nodiscard]] std::vector<Joined> joined(std::optional<int> rank, int num_others) const {
    const std::lock_guard lock(mutex_);
    std::vector<Joined> found;
    for (const auto& [number, member] : members_) {
      if (!rank || *rank == number) found.push_back({number, member.process.host, member.actor});
    }
    const int wanted = rank ? 1 : num_others;
    if (static_cast<int>(found.size()) < wanted) {
      Error error(Errc::kStalled, "not all processes of the run can be asked yet");
      error.with("joined", members_.size()).with("expected", num_others);
      if (rank) error.with("rank", *rank);
      throw error;
    }
    return found;
  }

  [[nodiscard]] std::vector<PeerProcess> processes() const {
    const std::lock_guard lock(mutex_);
    std::vector<PeerProcess> found;
    for (const auto& [rank, member] : members_) found.push_back(member.process);
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, Member> members_;
};

caf::behavior hub_actor(caf::event_based_actor* self,
                        const std::shared_ptr<Directory>& directory,
                        const std::string& token,
                        Nanoseconds interval) {
  const auto tick = [me = caf::actor_cast<caf::actor_addr>(self->ctrl()), interval] {
    if (const auto strong = caf::actor_cast<caf::actor>(me)) {
      caf_compat::send_after(strong, interval, caf::tick_atom_v);
    }
  };
  tick();
  return {
      [directory, token](const ControlGreeting& greeting, const caf::actor& member) {
        const bool welcome = equal_in_constant_time(greeting.token, token);
        if (welcome) directory->take_in(greeting, member);
        return welcome;
      },
      [self, directory, tick](caf::tick_atom) {
        const Clock& clock = steady_clock();
        for (const auto& asked : directory->begin_round()) {
          const auto rank = asked.first;
          const Nanoseconds asked_at = clock.now();  // before the question can reach its reader
          caf_compat::request(self, asked.second, kAnswerDeadline, caf::get_atom_v)
              .then(
                  [=, &clock](ControlReading& reading) {
                    directory->answered(rank, std::move(reading), asked_at, clock.now());
                  },
                  [=](const caf::error&) { directory->silent(rank); });
        }
        tick();
      },
  };
}

}  // namespace

struct ControlHub::Impl {
  ControlSystem system;
  std::shared_ptr<Directory> directory = std::make_shared<Directory>();
  caf::actor actor;
  ControlAddress address;
  int num_others;
};

ControlHub::ControlHub(const std::string& host, int num_others, Nanoseconds interval)
    : impl_(std::make_unique<Impl>()) {
  impl_->num_others = num_others;
  auto& system = impl_->system.get();
  impl_->address = {.host = host, .port = 0, .token = make_token()};
  impl_->actor = system.spawn(hub_actor, impl_->directory, impl_->address.token, interval);
  const auto port = system.middleman().publish(impl_->actor, 0, host.c_str());
  if (!port) {
    caf_compat::stop(impl_->actor);
    throw Error(Errc::kEnvironment, "cannot listen for the other processes of this run")
        .with("address", host)
        .with("reason", caf::to_string(port.error()));
  }
  impl_->address.port = *port;
}

ControlHub::~ControlHub() {
  (void)impl_->system.get().middleman().unpublish(impl_->actor, impl_->address.port);
  caf_compat::stop(impl_->actor);
}

const ControlAddress& ControlHub::address() const noexcept {
  return impl_->address;
}

std::vector<SessionStatus> ControlHub::readings(int session) const {
  return impl_->directory->readings(session);
}

std::vector<PeerProcess> ControlHub::processes() const {
  return impl_->directory->processes();
}

std::vector<PeerAnswer> ControlHub::ask(const std::string& request, std::optional<int> rank) const {
  const auto members = impl_->directory->joined(rank, impl_->num_others);
  const caf::scoped_actor self(impl_->system.get());
  const auto ask_one = [&](const Directory::Joined& member) {
    return caf_compat::request(self, member.actor, kAnswerDeadline,
                               ControlQuestion{impl_->address.token, request});
  };
  std::vector<decltype(ask_one(members.front()))> asked;
  for (const auto& member : members) asked.push_back(ask_one(member));
  std::vector<PeerAnswer> answers;
  for (std::size_t i = 0; i < members.size(); ++i) {
    asked[i].receive(
        [&](std::string& text) { answers.push_back({members[i].rank, std::move(text)}); },
        [&](const caf::error& error) {
          throw Error(Errc::kStalled, "process of the run does not answer")
              .with("rank", members[i].rank)
              .with("host", members[i].host)
              .with("reason", caf::to_string(error));
        });
  }
  return answers;
}

}  // namespace askos::dataflow
