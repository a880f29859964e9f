// SPDX-License-Identifier: Apache-2.0
// The inspector's connections. None of them can hold up another: nothing here blocks, requests and
// tables are bounded, and a client that does not read its answer is hung up on.
//
// A full table takes nobody in; newcomers wait in the listener's backlog. Those that have hung up
// leave first, in the round that sees it. Only when all are alive and a newcomer waits does one
// have to go: the one that has been idle longest, and not before it has been idle for `kPatience`.
#pragma once

#include "unix_socket.hpp"

#include <askos/base/clock.hpp>

#include <poll.h>

#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

class InspectorClients {
 public:
  static constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 10;
  /// How long a client may leave its answer unread.
  static constexpr Nanoseconds kReadDeadline = std::chrono::seconds(5);
  /// How long a client may stay idle while a newcomer waits for its place.
  static constexpr Nanoseconds kPatience = std::chrono::milliseconds(100);

  using Answer = std::function<std::string(std::string_view request)>;

  InspectorClients(Descriptor listener, int max_clients, Answer answer);

  /// Appends what to poll for: the listener first, then the clients. The listener is left alone
  /// while nobody can be taken in, so look again after `kPatience`.
  void append_polls(std::vector<pollfd>& polls, Nanoseconds now) const;

  /// Serves what `polls` (as appended, in order) reports; answers one request per client at most.
  void serve(const pollfd* polls, Nanoseconds now);

 private:
  struct Client {
    Descriptor descriptor;
    Nanoseconds last_active{};
    std::string received{};
    std::string pending{};  ///< the answer as far as it is not sent; no reading until it is
  };

  /// Accepts as many as there is room for.
  void accept_some(Nanoseconds now);
  [[nodiscard]] bool is_full() const noexcept { return clients_.size() >= max_clients_; }
  /// Returns the client to hang up on if a newcomer waits, or the end.
  [[nodiscard]] std::list<Client>::const_iterator find_idle(Nanoseconds now) const;
  /// Both return false when the client is to be hung up on.
  [[nodiscard]] bool receive(Client& client, Nanoseconds now);
  [[nodiscard]] bool send(Client& client, Nanoseconds now);
  void answer_next(Client& client);

  Descriptor listener_;
  std::size_t max_clients_;
  Answer answer_;
  std::list<Client> clients_;
};

}  // namespace askos::dataflow
