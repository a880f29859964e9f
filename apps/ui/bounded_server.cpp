// SPDX-License-Identifier: Apache-2.0
#include "bounded_server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace askos::apps {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A waiting thread looks so often whether the server still runs.
constexpr milliseconds kGlance{100};

/// Waits until the socket is ready or hung up. Returns false when the time is over.
bool await(socket_t socket, short events, milliseconds time) {
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  const auto deadline = steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (ready >= 0 || errno != EINTR) {
      return ready > 0;
    }
  }
}

/// One connection; counts what the current request takes.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(socket_t socket, const ConnectionLimits& limits)
      : socket_(socket), limits_(limits) {}

  /// Waits for the first byte of the next request; from it on the request's limits count.
  template <typename IsRunning>
  bool await_request(IsRunning&& is_running) {
    bool is_there = begin_ < end_;
    for (milliseconds waited{}; !is_there && waited < limits_.idle_time && is_running();
         waited += kGlance) {
      is_there = await(socket_, POLLIN, kGlance);
    }
    deadline_ = steady_clock::now() + limits_.request_time;
    bytes_left_ = limits_.request_bytes;
    return is_there;
  }

  bool is_readable() const override { return begin_ < end_ || await(socket_, POLLIN, time_left()); }

  bool is_writable() const override {
    char byte = 0;
    return await(socket_, POLLOUT, limits_.write_time) &&
           ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;  // 0: the client has gone
  }

  ssize_t read(char* data, size_t size) override {
    if (begin_ == end_ && !fill()) {
      return -1;
    }
    const auto count = std::min({size, end_ - begin_, bytes_left_});
    if (count == 0) {
      return size == 0 ? 0 : -1;
    }
    std::copy_n(buffer_.data() + begin_, count, data);
    begin_ += count;
    bytes_left_ -= count;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* data, size_t size) override {
    return await(socket_, POLLOUT, limits_.write_time)
               ? ::send(socket_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
               : -1;
  }

  /// Only loopback is listened on, and nobody asks further.
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "127.0.0.1";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    get_remote_ip_and_port(ip, port);
  }
  socket_t socket() const override { return socket_; }

 private:
  [[nodiscard]] milliseconds time_left() const {
    return std::max(milliseconds(0),
                    std::chrono::ceil<milliseconds>(deadline_ - steady_clock::now()));
  }

  /// The library reads headers byte by byte; the system is asked for more at once.
  bool fill() {
    if (bytes_left_ == 0 || !await(socket_, POLLIN, time_left())) {
      return false;
    }
    const auto got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    begin_ = 0;
    end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    return got > 0;
  }

  const socket_t socket_;
  const ConnectionLimits& limits_;
  std::array<char, 4096> buffer_;
  std::size_t begin_ = 0;  // of what is in the buffer and not yet read
  std::size_t end_ = 0;
  std::size_t bytes_left_ = 0;
  steady_clock::time_point deadline_{};
};

}  // namespace

bool BoundedServer::process_and_close_socket(socket_t socket) {
  BoundedStream stream(socket, limits_);
  bool is_good = true;
  for (int left = limits_.num_requests;
       is_good && left > 0 && stream.await_request([this] { return is_running(); }); --left) {
    bool is_closed = false;
    is_good = process_request(stream, /*close_connection=*/left == 1, is_closed, nullptr);
    if (is_closed) {
      break;
    }
  }
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return is_good;
}

}  // namespace askos::apps
