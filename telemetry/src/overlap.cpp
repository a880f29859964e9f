// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/overlap.hpp>

#include <algorithm>

namespace askos::telemetry {
namespace {

Stretch stretch_of(const TraceEvent& event) {
  return {event.start_ns, event.end_ns()};
}

/// A wait of the handler itself; waits for input and credit lie between runs.
bool is_wait_in_run(const TraceEvent& event) {
  const auto state = static_cast<State>(event.flags);
  return event.kind == TraceKind::kWait && state != State::kWaitInput &&
         state != State::kWaitCredit;
}

Nanoseconds length(const std::vector<Stretch>& stretches) {
  std::int64_t sum = 0;
  for (const auto& [begin, end] : stretches) {
    sum += end - begin;
  }
  return Nanoseconds(sum);
}

/// Both ascend and touch nothing of their own.
std::vector<Stretch> intersect(const std::vector<Stretch>& a, const std::vector<Stretch>& b) {
  std::vector<Stretch> shared;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Stretch both{std::max(a[i].begin_ns, b[j].begin_ns), std::min(a[i].end_ns, b[j].end_ns)};
    if (both.begin_ns < both.end_ns) {
      shared.push_back(both);
    }
    (a[i].end_ns < b[j].end_ns ? i : j) += 1;
  }
  return shared;
}

std::vector<Stretch> subtract(const std::vector<Stretch>& from, const std::vector<Stretch>& away) {
  std::vector<Stretch> left;
  std::size_t first = 0;
  for (const auto& [begin, end] : from) {
    std::int64_t at = begin;
    while (first < away.size() && away[first].end_ns <= begin) {
      ++first;
    }
    for (std::size_t i = first; i < away.size() && away[i].begin_ns < end; ++i) {
      if (away[i].begin_ns > at) {
        left.push_back({at, away[i].begin_ns});
      }
      at = std::max(at, away[i].end_ns);
    }
    if (at < end) {
      left.push_back({at, end});
    }
  }
  return left;
}

}  // namespace

std::vector<Stretch> unite(std::vector<Stretch> stretches) {
  std::ranges::sort(stretches, {}, &Stretch::begin_ns);
  std::vector<Stretch> united;
  for (const auto& stretch : stretches) {
    if (!united.empty() && stretch.begin_ns <= united.back().end_ns) {
      united.back().end_ns = std::max(united.back().end_ns, stretch.end_ns);
    } else if (stretch.begin_ns < stretch.end_ns) {
      united.push_back(stretch);
    }
  }
  return united;
}

std::vector<Stretch> busy_stretches(const Trace& trace, std::size_t track) {
  std::vector<Stretch> runs;
  std::vector<Stretch> waits;
  for (const auto& event : trace.events) {
    if (event.track == track && event.kind == TraceKind::kRun) {
      runs.push_back(stretch_of(event));
    } else if (event.track == track && is_wait_in_run(event)) {
      waits.push_back(stretch_of(event));
    }
  }
  return subtract(unite(std::move(runs)), unite(std::move(waits)));
}

std::vector<Overlap> overlaps(const Trace& trace) {
  std::vector<Overlap> result;
  for (const int rank : trace.ranks()) {
    std::vector<Stretch> busy;
    for (std::size_t track = 0; track < trace.tracks.size(); ++track) {
      if (trace.tracks[track].rank == rank) {
        const auto own = busy_stretches(trace, track);
        busy.insert(busy.end(), own.begin(), own.end());
      }
    }
    std::vector<Stretch> collectives;
    for (const auto& event : trace.events) {
      if (event.kind == TraceKind::kCollective && trace.tracks[event.track].rank == rank) {
        collectives.push_back(stretch_of(event));
      }
    }
    busy = unite(std::move(busy));
    collectives = unite(std::move(collectives));
    result.push_back({.rank = rank,
                      .communication = length(collectives),
                      .overlapped = length(intersect(collectives, busy)),
                      .busy = length(busy)});
  }
  return result;
}

}  // namespace askos::telemetry
