// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "askos/running_graphs.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace askos::apps {

/// What the page is about: one running graph, or the next one of the same selection when that has
/// ended (a training run is followed by its evaluation). Any thread.
class RunningSource {
 public:
  /// Throws `Errc::kNotFound` if nothing runs, `Errc::kUsage` if several graphs do.
  explicit RunningSource(Selection selection);

  /// Sends a request to the graph's process. Throws what that answers as an error, and
  /// `Errc::kNotFound` when neither this graph nor another one of the selection is left.
  [[nodiscard]] Json ask(const Json& request);

  /// The graph's row of `ps`, as it was found.
  [[nodiscard]] Json row() const;

  /// Counts graphs: it changes when another one took the place of the first.
  [[nodiscard]] int generation() const;

 private:
  const Selection selection_;
  mutable std::mutex mutex_;  // guards all below
  Found found_;
  int generation_ = 1;
};

/// Calls `send` with the events that bring a page up to date: `hello` for a new graph, then
/// `trace`, `hold` and `top`. Remembers what it has sent.
class PageFeed {
 public:
  using Send = std::function<bool(const char* event, const std::string& json)>;

  /// `debugger` is the name under which the page holds the graph: every update renews its lease, so
  /// the graph goes on by itself some time after the last page is closed. Empty: only looks.
  PageFeed(RunningSource& source, std::string debugger)
      : source_(source), debugger_(std::move(debugger)) {}

  /// Returns false as soon as `send` does. Throws what asking does.
  [[nodiscard]] bool update(const Send& send);

 private:
  RunningSource& source_;
  std::string debugger_;
  bool has_holds_ = true;
  int generation_ = 0;
  int num_updates_ = 0;
  std::int64_t traced_until_ns_ = 0;
};

}  // namespace askos::apps
