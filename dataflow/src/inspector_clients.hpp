// SPDX-License-Identifier: Apache-2.0
// The inspector's connections. None of them can hold up another: nothing here blocks, requests and
// tables are bounded, and a client that does not read its answer is hung up on.
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

  using Answer = std::function<std::string(std::string_view request)>;

  InspectorClients(Descriptor listener, int max_clients, Answer answer);

  /// Appends what to poll for: the listener first, then the clients.
  void append_polls(std::vector<pollfd>& polls) const;

  /// Serves what `polls` (as appended, in order) reports; answers one request per client at most.
  void serve(const pollfd* polls, Nanoseconds now);

 private:
  struct Client {
    Descriptor descriptor;
    Nanoseconds last_active{};
    std::string received{};
    std::string pending{};  ///< the answer as far as it is not sent; no reading until it is
  };

  void accept_all(Nanoseconds now);
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
