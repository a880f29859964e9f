// SPDX-License-Identifier: Apache-2.0
#include "launch/launcher.hpp"

#include "launch/rank_output.hpp"
#include "launch/rank_report.hpp"
#include "launch/signal_queue.hpp"

#include <askos/base/error.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace askos::apps {
namespace {

/// mpirun, told to end, takes two seconds to do so.
constexpr Nanoseconds kEndingGrace = std::chrono::seconds(6);

struct RankState {
  std::string host = "an unknown host";
  bool is_placed = false;
  std::optional<ProcessEnd> end;
  bool was_ended = false;  ///< by this launcher
};

class Launcher {
 public:
  Launcher(Fleet fleet, const LauncherOptions& options)
      : fleet_(std::move(fleet)),
        options_(options),
        ranks_(static_cast<std::size_t>(fleet_.num_ranks)),
        output_({.print = [](OutputStream stream, const std::string& line) { print(stream, line); },
                 .report = [this](int rank, const std::string& text) { hear(rank, text); }},
                options.prefix) {
    for (auto& member : fleet_.members) {
      streams_.push_back({member.process.out(), OutputStream::kOut, member.rank, {}});
      streams_.push_back({member.process.err(), OutputStream::kErr, member.rank, {}});
    }
    for (auto& stream : streams_) {
      if (!stream.rank) {
        stream.tagged = std::make_unique<TaggedOutput>(output_, stream.kind);
      }
    }
  }

  int run(SignalQueue& signals) {
    while (!all_gone() || std::ranges::any_of(streams_, [](const auto& s) { return s.fd >= 0; })) {
      wait_for_something(signals);
      while (const auto signal = signals.next()) {
        pass_on(*signal);
      }
      for (auto& stream : streams_) {
        read(stream);
      }
      if (until_ && clock_.now() >= *until_) {
        end_everybody();
      }
    }
    for (auto& stream : streams_) {
      if (stream.tagged) stream.tagged->finish();
    }
    output_.finish();
    return result();
  }

 private:
  struct Stream {
    int fd;
    OutputStream kind;
    std::optional<int> rank;
    std::unique_ptr<TaggedOutput> tagged;
  };

  static void print(OutputStream stream, const std::string& line) {
    (stream == OutputStream::kOut ? std::cout : std::cerr) << (line + "\n") << std::flush;
  }

  void wait_for_something(SignalQueue& signals) {
    std::vector<pollfd> polls{{.fd = signals.descriptor(), .events = POLLIN, .revents = 0}};
    for (const auto& stream : streams_) {
      polls.push_back({.fd = stream.fd, .events = POLLIN, .revents = 0});
    }
    int left = -1;
    if (until_) {
      const auto time = std::chrono::ceil<std::chrono::milliseconds>(*until_ - clock_.now());
      left = static_cast<int>(std::max<std::int64_t>(time.count(), 0));
    }
    (void)::poll(polls.data(), polls.size(), left);
  }

  void pass_on(int signal) {
    if (signal == SIGCHLD) {
      for (auto& member : fleet_.members) (void)member.process.poll();
      return;
    }
    if (signal == SIGUSR1 || signal == SIGUSR2) {
      send(signal);
    } else if (!std::exchange(was_told_, true)) {
      send(kOrderEnd);
    } else {
      end_everybody();
    }
  }

  void send(int signal) {
    for (const auto& member : fleet_.members) member.process.send(signal);
  }

  void end_everybody() {
    if (!std::exchange(ends_all_, true)) {
      send(kOrderKill);
      until_ = clock_.now() + kEndingGrace;
    } else {
      for (const auto& member : fleet_.members) member.process.send_group(SIGKILL);
      for (auto& stream : streams_) stream.fd = -1;
      until_.reset();
    }
  }

  void read(Stream& stream) {
    std::array<char, 65536> bytes{};
    while (stream.fd >= 0) {
      const auto size = ::read(stream.fd, bytes.data(), bytes.size());
      if (size < 0) {
        return;
      }
      if (size == 0) {
        stream.fd = -1;
        return;
      }
      const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
      if (stream.tagged) {
        stream.tagged->take(text);
      } else {
        output_.take(*stream.rank, stream.kind, text);
      }
    }
  }

  void hear(int rank, const std::string& text) {
    const auto report = to_report(text);
    auto& state = ranks_.at(static_cast<std::size_t>(rank));
    if (const auto* placed = std::get_if<RankPlaced>(&report)) {
      state.host = placed->host;
      state.is_placed = true;
      if (!options_.quiet) {
        print(OutputStream::kErr, "askos launch: rank " + std::to_string(rank) + " on " +
                                      placed->host + ": " + placed->placement);
      }
      return;
    }
    state.end = std::get<RankEnded>(report).end;
    state.was_ended = ends_all_;
    if (state.end->code != 0 && !first_failure_) {
      first_failure_ = *state.end;
      until_ = until_ ? until_ : clock_.now() + options_.grace;
    }
    if (std::ranges::all_of(ranks_, [](const auto& r) { return r.end.has_value(); })) {
      send(kOrderLeave);
      until_ = clock_.now() + kEndingGrace;
    }
  }

  [[nodiscard]] bool all_gone() {
    return std::ranges::all_of(fleet_.members,
                               [](auto& m) { return m.process.poll().has_value(); });
  }

  [[nodiscard]] int result() {
    if (std::ranges::none_of(ranks_, &RankState::is_placed)) {
      throw Error(Errc::kEnvironment, "the ranks could not be started")
          .with("exit code", fleet_.members.front().process.poll()->code);
    }
    Error lost(Errc::kRankLost, "ranks were lost");
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      const auto& [host, is_placed, end, was_ended] = ranks_[r];
      // Ranks that this launcher has ended may have had no time to report.
      if (end ? end->signal != 0 && !was_ended : !ends_all_) {
        lost.with("rank " + std::to_string(r),
                  "on " + host + ", " +
                      (end ? "ended by signal " + std::to_string(end->signal) : "never reported"));
      }
    }
    if (!lost.values().empty()) {
      throw Error(lost);
    }
    if (!first_failure_ && ends_all_) {
      throw Error(Errc::kCancelled, "the ranks were ended before they were done");
    }
    return first_failure_ ? first_failure_->code : 0;
  }

  Fleet fleet_;
  LauncherOptions options_;
  Clock& clock_ = steady_clock();
  std::vector<RankState> ranks_;
  RankOutput output_;
  std::vector<Stream> streams_;
  std::optional<ProcessEnd> first_failure_;
  std::optional<Nanoseconds> until_;
  bool was_told_ = false;
  bool ends_all_ = false;
};

}  // namespace

std::vector<int> launcher_signals() {
  return {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
}

int look_after(Fleet fleet, SignalQueue& signals, const LauncherOptions& options) {
  return Launcher(std::move(fleet), options).run(signals);
}

}  // namespace askos::apps
