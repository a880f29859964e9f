// SPDX-License-Identifier: Apache-2.0
// Field numbers are those of perfetto/trace/trace_packet.proto and its neighbours (Perfetto 0.59).
// What keeps a packet small: names are sent once, times are differences, blocks are deflated.
#include "trace_slices.hpp"

#include <askos/base/error.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <protozero/pbf_writer.hpp>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <ostream>

namespace askos::telemetry {
namespace {

using protozero::pbf_writer;

namespace packet {
enum : std::uint32_t {
  kClockSnapshot = 6,
  kTimestamp = 8,
  kSequenceId = 10,
  kTrackEvent = 11,
  kInternedData = 12,
  kSequenceFlags = 13,
  kCompressedPackets = 50,
  kDefaults = 59,
  kTrackDescriptor = 60,
};
}  // namespace packet

constexpr std::uint32_t kPacketOfTrace = 1;
constexpr std::uint32_t kSequence = 1;
constexpr std::uint32_t kStateCleared = 1;
constexpr std::uint32_t kNeedsState = 2;
constexpr std::uint32_t kMonotonicClock = 3;  // BUILTIN_CLOCK_MONOTONIC
constexpr std::uint32_t kRealtimeClock = 1;
constexpr std::uint32_t kDeltaClock = 64;  // the first one that a sequence may define
constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
constexpr std::uint64_t kRankTrack = 1000000;  // tracks of lanes are numbered from 1

enum EventType : std::int32_t { kBegin = 1, kEnd = 2, kInstant = 3 };

/// Collects packets and writes them in deflated blocks, each one packet of the file.
class PacketWriter {
 public:
  explicit PacketWriter(std::ostream& out) : out_(out) {}

  template <typename Fill>
  void add(Fill&& fill) {
    pbf_writer trace(block_);
    {
      pbf_writer packet(trace, kPacketOfTrace);
      packet.add_uint32(packet::kSequenceId, kSequence);
      fill(packet);
    }
    if (block_.size() >= kBlockBytes) {
      flush();
    }
  }

  void flush() {
    if (block_.empty()) {
      return;
    }
    auto size = ::compressBound(block_.size());
    std::string deflated(size, '\0');
    const auto status = ::compress2(reinterpret_cast<Bytef*>(deflated.data()), &size,
                                    reinterpret_cast<const Bytef*>(block_.data()), block_.size(),
                                    Z_BEST_COMPRESSION);
    ASKOS_CHECK(status == Z_OK);
    deflated.resize(size);
    std::string file;
    pbf_writer trace(file);
    {
      pbf_writer packet(trace, kPacketOfTrace);
      packet.add_bytes(packet::kCompressedPackets, deflated);
    }
    out_ << file;
    block_.clear();
  }

 private:
  std::ostream& out_;
  std::string block_;
};

/// One end of a slice.
struct Mark {
  std::int64_t at_ns;
  std::size_t lane;
  EventType type;
  const TraceEvent* event;
};

/// Lists beginnings and ends by time; on each lane in the order in which they nest.
std::vector<Mark> marks_of(const std::vector<Lane>& lanes) {
  std::vector<Mark> marks;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    std::vector<const TraceEvent*> open;
    const auto close_until = [&](std::int64_t time) {
      for (; !open.empty() && open.back()->end_ns() <= time; open.pop_back()) {
        marks.push_back({open.back()->end_ns(), i, kEnd, open.back()});
      }
    };
    for (const auto* event : lanes[i].events) {
      close_until(event->start_ns);
      if (event->kind == TraceKind::kFailure) {
        marks.push_back({event->start_ns, i, kInstant, event});
      } else {
        marks.push_back({event->start_ns, i, kBegin, event});
        open.push_back(event);
      }
    }
    close_until(std::numeric_limits<std::int64_t>::max());
  }
  std::ranges::stable_sort(marks, {}, &Mark::at_ns);
  return marks;
}

class PerfettoWriter {
 public:
  PerfettoWriter(const Trace& trace, std::ostream& out)
      : trace_(trace), lanes_(lay_on_lanes(trace)), marks_(marks_of(lanes_)), packets_(out) {}

  void write() {
    last_ns_ = marks_.empty() ? 0 : marks_.front().at_ns;
    write_clocks();
    write_tracks();
    for (const auto& mark : marks_) {
      write_mark(mark);
    }
    packets_.flush();
  }

 private:
  void write_clocks() {
    packets_.add([&](pbf_writer& packet) {
      packet.add_uint32(packet::kSequenceFlags, kStateCleared);
      {
        pbf_writer snapshot(packet, packet::kClockSnapshot);
        const auto clock = [&](std::uint32_t id, std::int64_t time, bool is_delta) {
          pbf_writer entry(snapshot, 1);
          entry.add_uint32(1, id);
          entry.add_uint64(2, static_cast<std::uint64_t>(time));
          if (is_delta) {
            entry.add_bool(3, true);
          }
        };
        clock(kMonotonicClock, last_ns_, false);
        clock(kRealtimeClock, last_ns_ + trace_.unix_offset_ns, false);
        clock(kDeltaClock, last_ns_, true);
        snapshot.add_enum(2, static_cast<std::int32_t>(kMonotonicClock));
      }
      pbf_writer defaults(packet, packet::kDefaults);
      defaults.add_uint32(58, kDeltaClock);
    });
  }

  void write_tracks() {
    for (const int rank : trace_.ranks()) {
      packets_.add([&](pbf_writer& packet) {
        pbf_writer descriptor(packet, packet::kTrackDescriptor);
        descriptor.add_uint64(1, rank_track(rank));
        pbf_writer process(descriptor, 3);
        process.add_int32(1, rank + 1);  // a process has a number above 0
        process.add_string(6, trace_.graph + " rank " + std::to_string(rank));
      });
    }
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      packets_.add([&](pbf_writer& packet) {
        pbf_writer descriptor(packet, packet::kTrackDescriptor);
        descriptor.add_uint64(1, i + 1);
        descriptor.add_uint64(5, rank_track(trace_.tracks[lanes_[i].track].rank));
        descriptor.add_string(2, name_of(lanes_[i], trace_));
      });
    }
  }

  void write_mark(const Mark& mark) {
    const bool has_name = mark.type != kEnd;
    const std::string name = has_name ? name_of(*mark.event, trace_) : "";
    const auto [known, is_new] = names_.try_emplace(name, names_.size() + 1);
    packets_.add([&](pbf_writer& packet) {
      packet.add_uint64(packet::kTimestamp, static_cast<std::uint64_t>(mark.at_ns - last_ns_));
      packet.add_uint32(packet::kSequenceFlags, kNeedsState);
      if (has_name && is_new) {
        pbf_writer interned(packet, packet::kInternedData);
        pbf_writer entry(interned, 2);
        entry.add_uint64(1, known->second);
        entry.add_string(2, name);
      }
      pbf_writer event(packet, packet::kTrackEvent);
      event.add_enum(9, mark.type);
      event.add_uint64(11, mark.lane + 1);
      if (has_name) {
        event.add_uint64(10, known->second);
        for (const auto flow : flows_of(*mark.event, trace_)) {
          event.add_fixed64(47, flow);
        }
        annotate(event, *mark.event);
      }
    });
    last_ns_ = mark.at_ns;
  }

  static void annotate(pbf_writer& event, const TraceEvent& about) {
    const auto number = [&](const char* key, std::uint64_t value) {
      pbf_writer annotation(event, 4);
      annotation.add_string(10, key);
      annotation.add_uint64(3, value);
    };
    switch (about.kind) {
      case TraceKind::kRun:
        number("sample", about.id);
        if (about.detail > 1) {
          number("runs", about.detail);
        }
        break;
      case TraceKind::kWait: break;
      case TraceKind::kFailure: number("sample", about.id); break;
      case TraceKind::kCollective: number("sequence", about.detail); break;
      case TraceKind::kOperator: break;
    }
  }

  static std::uint64_t rank_track(int rank) {
    return kRankTrack + static_cast<std::uint64_t>(rank);
  }

  const Trace& trace_;
  const std::vector<Lane> lanes_;
  const std::vector<Mark> marks_;
  PacketWriter packets_;
  std::int64_t last_ns_ = 0;
  std::map<std::string, std::uint64_t> names_;
};

}  // namespace

void write_perfetto(const Trace& trace, std::ostream& out) {
  PerfettoWriter(trace, out).write();
}

}  // namespace askos::telemetry
