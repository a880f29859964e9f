// SPDX-License-Identifier: Apache-2.0
#include "running_source.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <utility>

namespace askos::apps {
namespace {

constexpr int kTraceSpan = 30000;  // milliseconds, what the page shows
constexpr int kWindow = 3000;      // milliseconds, what the bars show
constexpr int kUpdatesPerTrace = 2;

}  // namespace

RunningSource::RunningSource(Selection selection)
    : selection_(std::move(selection)), found_(find_one(selection_)) {}

Json RunningSource::ask(const Json& request) {
  Found found;
  {
    const std::lock_guard lock(mutex_);
    found = found_;
  }
  try {
    return ask_session(found, request);
  } catch (const Error& error) {
    const bool may_be_gone = error.code() == Errc::kEnvironment || error.code() == Errc::kNotFound;
    const auto left = may_be_gone ? find_sessions(selection_) : std::vector<Found>();
    if (left.empty() && error.code() == Errc::kEnvironment) {
      throw Error(Errc::kNotFound, "the graph has ended, and no other one runs");
    }
    const auto is_same = [&](const Found& other) {
      return other.socket == found.socket && other.row.at("session") == found.row.at("session");
    };
    if (left.empty() || std::ranges::any_of(left, is_same)) {
      throw;
    }
    {
      const std::lock_guard lock(mutex_);
      if (is_same(found_)) {  // else another thread has moved on already
        found_ = left.front();
        ++generation_;
      }
      found = found_;
    }
    return ask_session(found, request);
  }
}

Json RunningSource::row() const {
  const std::lock_guard lock(mutex_);
  return found_.row;
}

int RunningSource::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

bool PageFeed::update(const Send& send) {
  const Json top = source_.ask({{"verb", "top"}, {"window_ms", kWindow}});
  if (generation_ != source_.generation()) {
    generation_ = source_.generation();
    num_updates_ = 0;
    traced_until_ns_ = 0;
    Json hello = source_.row();
    hello["read_only"] = debugger_.empty();
    if (!send("hello", hello.dump())) {
      return false;
    }
  }
  if (num_updates_++ % kUpdatesPerTrace == 0) {
    Json request{{"verb", "trace"}};
    if (traced_until_ns_ == 0) {
      request["last_ms"] = kTraceSpan;
    } else {
      request["since_ns"] = traced_until_ns_;
    }
    const Json trace = source_.ask(request);
    traced_until_ns_ = trace.at("now_ns").get<std::int64_t>();
    if (!send("trace", trace.dump())) {
      return false;
    }
  }
  if (has_holds_) {
    Json request{{"verb", "hold"}};
    if (!debugger_.empty()) {
      request["debugger"] = debugger_;
    }
    try {
      if (!send("hold", source_.ask(request).dump())) {
        return false;
      }
    } catch (const Error& error) {
      if (error.code() == Errc::kNotFound) {
        has_holds_ = false;  // a process of an older askos
      } else {
        throw;
      }
    }
  }
  return send("top", top.dump());
}

}  // namespace askos::apps
