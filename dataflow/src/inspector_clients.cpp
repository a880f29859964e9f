// SPDX-License-Identifier: Apache-2.0
#include "inspector_clients.hpp"

#include "inspector_verbs.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace askos::dataflow {
namespace {

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

InspectorClients::InspectorClients(Descriptor listener, int max_clients, Answer answer)
    : listener_(std::move(listener)),
      max_clients_(static_cast<std::size_t>(std::max(max_clients, 1))),
      answer_(std::move(answer)) {}

void InspectorClients::append_polls(std::vector<pollfd>& polls, Nanoseconds now) const {
  const bool has_place = !is_full() || find_idle(now) != clients_.end();
  const short newcomers = has_place ? POLLIN : 0;
  polls.push_back({.fd = listener_.get(), .events = newcomers, .revents = 0});
  for (const auto& client : clients_) {
    const short events = client.pending.empty() ? POLLIN : POLLOUT;
    polls.push_back({.fd = client.descriptor.get(), .events = events, .revents = 0});
  }
}

void InspectorClients::serve(const pollfd* polls, Nanoseconds now) {
  const bool has_newcomers = (polls++->revents & POLLIN) != 0;
  for (auto client = clients_.begin(); client != clients_.end(); ++polls) {
    bool keep = true;
    if ((polls->revents & POLLIN) != 0) {
      keep = receive(*client, now);
    } else if ((polls->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
      keep = false;
    }
    if (keep && !client->pending.empty()) {
      keep = send(*client, now) && now - client->last_active < kReadDeadline;
    }
    client = keep ? std::next(client) : clients_.erase(client);
  }
  if (has_newcomers) {
    accept_some(now);
  }
}

std::list<InspectorClients::Client>::const_iterator InspectorClients::find_idle(
    Nanoseconds now) const {
  const auto idle_since = [](const Client& client) {
    return client.pending.empty() ? client.last_active : Nanoseconds::max();
  };
  const auto idlest = std::ranges::min_element(clients_, {}, idle_since);
  const bool is_idle =
      idlest != clients_.end() && idlest->pending.empty() && now - idlest->last_active >= kPatience;
  return is_idle ? idlest : clients_.end();
}

void InspectorClients::accept_some(Nanoseconds now) {
  // Everybody here was polled in this round, so whoever had hung up is gone.
  if (const auto idle = find_idle(now); is_full() && idle != clients_.end()) {
    clients_.erase(idle);
  }
  while (!is_full()) {
    Descriptor descriptor(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!descriptor.is_open()) {
      return;  // none left, or no descriptors left: the next poll tries again
    }
    clients_.push_back({.descriptor = std::move(descriptor), .last_active = now});
  }
}

bool InspectorClients::receive(Client& client, Nanoseconds now) {
  std::array<char, 4096> buffer{};
  const auto size = ::recv(client.descriptor.get(), buffer.data(), buffer.size(), 0);
  if (size <= 0) {
    return size < 0 && would_block();
  }
  client.last_active = now;
  client.received.append(buffer.data(), static_cast<std::size_t>(size));
  answer_next(client);
  if (client.pending.empty() && client.received.size() > kMaxRequestBytes) {
    client.received.clear();
    client.pending = refuse("request is too long") + "\n";
    (void)send(client, now);
    return false;
  }
  return true;
}

void InspectorClients::answer_next(Client& client) {
  const auto end = client.received.find('\n');
  if (end == std::string::npos || !client.pending.empty()) {
    return;
  }
  const std::string request = client.received.substr(0, end);
  client.received.erase(0, end + 1);
  client.pending = answer_(request) + "\n";
}

bool InspectorClients::send(Client& client, Nanoseconds now) {
  const auto size =
      ::send(client.descriptor.get(), client.pending.data(), client.pending.size(), MSG_NOSIGNAL);
  if (size < 0) {
    return would_block();
  }
  client.last_active = now;
  client.pending.erase(0, static_cast<std::size_t>(size));
  if (client.pending.empty()) {
    answer_next(client);  // a request that came along with the last one
  }
  return true;
}

}  // namespace askos::dataflow
