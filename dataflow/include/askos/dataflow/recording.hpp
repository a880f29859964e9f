// SPDX-License-Identifier: Apache-2.0
// What was kept of a stage's last runs, so that they can be done again without its peers.
#pragma once

#include <askos/base/id.hpp>
#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/dataflow/stored_arrays.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// A packet as it was taken from an input, or put on an output.
struct RecordedPacket {
  int port = 0;  ///< position among the stage's ports of that direction
  PacketMeta meta{};
  std::optional<StoredArrays> payload{};  ///< nothing: an empty packet, as cycles begin with
};

struct RecordedRun {
  std::int64_t number = 0;  ///< runs of the stage before this one
  bool done = true;  ///< false: its packets waited when the stage was stopped; nothing is known yet
  std::string failure{};                  ///< what it threw; empty: nothing
  std::vector<RecordedPacket> inputs{};   ///< in the order of taking
  std::vector<RecordedPacket> outputs{};  ///< in the order of emitting
  StoredArrays received{};                ///< from elsewhere: results of collectives
};

/// A port as a recording names it.
struct RecordedPort {
  std::string name;
  std::string type;  ///< of its payloads
  int rate = 1;

  bool operator==(const RecordedPort&) const = default;
};

/// The last runs of one stage on one rank. Numbers are as they lie in memory: read it on a machine
/// of the same byte order.
struct Recording {
  std::string graph;
  std::string stage;
  Rank rank{};
  int num_ranks = 1;
  std::string type;                            ///< as in graph files; empty: the stage has none
  Arguments arguments{};                       ///< of the type, as they were when it was recorded
  std::map<std::string, std::string> notes{};  ///< those of the graph
  std::vector<RecordedPort> inputs{};
  std::vector<RecordedPort> outputs{};
  StoredArrays state{};  ///< what the stage carried into the first run
  std::vector<RecordedRun> runs{};
};

/// How a stage is being recorded.
struct RecordingStatus {
  std::string stage{};
  Rank rank{};
  int last = 0;           ///< runs to keep at least; 0: not recorded
  int num_runs = 0;       ///< kept so far; up to twice as many
  Bytes bytes{};          ///< that they take
  std::string problem{};  ///< why recording was given up; empty: it was not
};

/// Prints everything but the arrays' bytes as JSON on one line.
[[nodiscard]] std::string recording_header(const Recording& recording);

/// Reads back what `recording_header` printed; arrays have their shapes and no bytes. Throws
/// `Errc::kInvalidInput` if it is of another version, `Errc::kCorruptData` if it is no such header.
[[nodiscard]] Recording parse_recording_header(const std::string& text);

/// Fetches from an inspector what its process keeps of a stage. `ask` sends a request of the
/// inspector's protocol and returns the result, or throws; it is asked many times.
[[nodiscard]] Recording fetch_recording(const std::string& stage,
                                        Rank rank,
                                        const std::function<std::string(const std::string&)>& ask);

/// Calls `visit(path, array)` for all arrays of a recording, in one order: `state/NAME`,
/// `runs/R/inputs/P/NAME`, `runs/R/outputs/P/NAME`, `runs/R/received/NAME`, R and P being positions
/// in their lists.
template <typename Recorded, typename Visit>
void for_each_array(Recorded& recording, Visit visit) {
  for (auto& array : recording.state) visit("state/" + array.name, array);
  for (std::size_t r = 0; r < recording.runs.size(); ++r) {
    auto& run = recording.runs[r];
    const auto visit_packets = [&](auto& packets, const char* direction) {
      const auto folder = "runs/" + std::to_string(r) + "/" + direction + "/";
      for (std::size_t i = 0; i < packets.size(); ++i) {
        if (!packets[i].payload) continue;
        for (auto& array : *packets[i].payload) {
          visit(folder + std::to_string(i) + "/" + array.name, array);
        }
      }
    };
    visit_packets(run.inputs, "inputs");
    visit_packets(run.outputs, "outputs");
    for (auto& array : run.received) {
      visit("runs/" + std::to_string(r) + "/received/" + array.name, array);
    }
  }
}

/// Prints a stage's ports as a recording names them.
[[nodiscard]] std::vector<RecordedPort> recorded_inputs(const Stage& stage);
[[nodiscard]] std::vector<RecordedPort> recorded_outputs(const Stage& stage);

}  // namespace askos::dataflow
