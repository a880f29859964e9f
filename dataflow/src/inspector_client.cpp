// SPDX-License-Identifier: Apache-2.0
#include "unix_socket.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace askos::dataflow {
namespace {

/// Reads the number at the beginning of `8123.sock` or `8123-2.sock`; 0 if there is none.
int pid_of(const std::filesystem::path& socket) {
  const std::string name = socket.filename().string();
  int pid = 0;
  std::from_chars(name.data(), name.data() + name.size(), pid);
  return socket.extension() == ".sock" ? pid : 0;
}

Error late(const std::filesystem::path& socket) {
  return Error(Errc::kStalled, "process did not answer in time").with("socket", socket.string());
}

/// Connects; waits for a place in the backlog, which cannot be polled for. Throws after `until`.
Descriptor connect_before(Nanoseconds until, const std::filesystem::path& socket) {
  Descriptor descriptor;
  Reach reach = connect_to(socket, descriptor);
  while (reach == Reach::kBusy && steady_clock().now() < until) {
    ::poll(nullptr, 0, 1);
    reach = connect_to(socket, descriptor);
  }
  switch (reach) {
    case Reach::kConnected: return descriptor;
    case Reach::kBusy: throw late(socket);
    default:
      throw Error(Errc::kEnvironment, "nobody listens on the socket")
          .with("socket", socket.string());
  }
}

/// Waits until the descriptor is ready for `events`; throws after `until`.
void await(const Descriptor& descriptor,
           short events,
           Nanoseconds until,
           const std::filesystem::path& socket) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock().now());
    pollfd entry{.fd = descriptor.get(), .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, std::max(0, static_cast<int>(left.count())));
    if (ready > 0) {
      return;
    }
    if (left.count() <= 0) {
      throw late(socket);
    }
  }
}

}  // namespace

std::vector<InspectedProcess> find_processes(const std::filesystem::path& folder) {
  std::vector<InspectedProcess> processes;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const int pid = pid_of(entry.path());
    Descriptor descriptor;
    switch (pid > 0 ? connect_to(entry.path(), descriptor) : Reach::kOther) {
      case Reach::kConnected:
      case Reach::kBusy: processes.push_back({pid, entry.path()}); break;
      case Reach::kDead: std::filesystem::remove(entry.path(), ignored); break;
      case Reach::kOther: break;
    }
  }
  std::ranges::sort(processes, {},
                    [](const auto& process) { return std::pair(process.pid, process.socket); });
  return processes;
}

std::string ask(const std::filesystem::path& socket,
                const std::string& request,
                Nanoseconds deadline) {
  const Nanoseconds until = steady_clock().now() + deadline;
  const Descriptor descriptor = connect_before(until, socket);
  const auto lost = [&](ssize_t result) {
    return result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR);
  };
  const auto fail = [&] {
    return Error(Errc::kEnvironment, "process hung up").with("socket", socket.string());
  };
  const std::string line = request + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    await(descriptor, POLLOUT, until, socket);
    const auto size =
        ::send(descriptor.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (lost(size)) {
      throw fail();
    }
    sent += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
  }
  std::string answer;
  for (std::array<char, 65536> buffer; !answer.ends_with('\n');) {
    await(descriptor, POLLIN, until, socket);
    const auto size = ::recv(descriptor.get(), buffer.data(), buffer.size(), 0);
    if (lost(size)) {
      throw fail();
    }
    answer.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  answer.pop_back();
  return answer;
}

Errc code_of(std::string_view name) noexcept {
  for (int code = 0; code <= static_cast<int>(Errc::kCancelled); ++code) {
    if (to_string(static_cast<Errc>(code)) == name) return static_cast<Errc>(code);
  }
  return Errc::kInternal;
}

}  // namespace askos::dataflow
