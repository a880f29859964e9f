// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>

namespace askos::apps {

/// What a connection may ask of a server, whatever its client intends.
struct ConnectionLimits {
  std::size_t request_bytes = std::size_t{80} << 10;  ///< first line, headers and body together
  std::chrono::milliseconds request_time{5000};       ///< from its first byte to its last
  std::chrono::milliseconds write_time{5000};         ///< until the client takes some more
  std::chrono::milliseconds idle_time{2000};          ///< between requests
  int num_requests = 64;
};

/// The library's server bounds a body and the wait for each byte, but neither the headers nor the
/// whole: a client could send headers for ever. This one hangs up on requests beyond the limits.
class BoundedServer final : public httplib::Server {
 public:
  explicit BoundedServer(const ConnectionLimits& limits = {}) : limits_(limits) {}

 private:
  bool process_and_close_socket(socket_t socket) override;

  const ConnectionLimits limits_;
};

}  // namespace askos::apps
