// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "running_source.hpp"

#include <memory>
#include <string>

namespace askos::apps {

struct PageServerOptions {
  int port = 0;            ///< 0: any that is free
  bool read_only = false;  ///< refuse every verb that changes something
};

/// Serves the page on loopback. What tells of the graph needs the token; the page itself tells
/// nothing. A client that does not read is hung up on, and none of them is noticed by the graph,
/// which is asked through its inspector.
class PageServer {
 public:
  /// Listens; throws `Errc::kEnvironment` if the port is taken.
  PageServer(RunningSource& source, const PageServerOptions& options);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  /// The address to open, token included.
  [[nodiscard]] std::string address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace askos::apps
