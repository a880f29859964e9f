// SPDX-License-Identifier: Apache-2.0
// Keeps the last runs of one stage, packets copied, and the state that they began with.
//
// State is too large to be copied before each run, so it is copied before every `last`-th one: what
// is kept are the runs since the last copy and those since the one before, at least `last` and less
// than twice as many. Payloads are copied too: a handle would keep memory that the plan has counted
// as given back, and slots of pools that others wait for.
#pragma once

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/recording.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

class StageRecorder {
 public:
  /// More than that is not kept; recording is given up instead.
  static constexpr Bytes kMostBytes{std::int64_t{4} << 30};

  explicit StageRecorder(Stage& stage) : stage_(stage) {}
  StageRecorder(const StageRecorder&) = delete;
  StageRecorder& operator=(const StageRecorder&) = delete;

  // --- any thread ---

  /// Keeps the last `last` runs from now on, at least; what there is, is kept as well. 0: forgets.
  void arm(int last);
  /// Forgets what is there, since runs before would not lead to those that come; stays armed.
  void restart();
  [[nodiscard]] RecordingStatus status() const;
  /// Copies state and runs into a recording.
  void copy_into(Recording& recording) const;

  // --- the stage's thread ---

  [[nodiscard]] bool is_on() const noexcept { return last_.load(std::memory_order_relaxed) > 0; }
  /// Begins a run; returns false if it is not kept, and the others must not be called for it then.
  [[nodiscard]] bool begin_run(std::int64_t number);
  void note_input(const InPort& port, const AnyPacket& packet);
  void note_output(const OutPort& port, const PacketMeta& meta, const void* payload);
  /// Keeps the run if packets moved in it, or if it failed; not one that failed before what it was
  /// to receive was there.
  void end_run(const std::string& failure);

 private:
  struct Segment {
    std::shared_ptr<const StoredArrays> state;
    Bytes bytes;
    std::vector<std::shared_ptr<const RecordedRun>> runs;
  };

  [[nodiscard]] bool begin_segment(int last);
  void note(std::vector<RecordedPacket>& packets,
            const Port& port,
            const PacketMeta& meta,
            const void* payload);
  void give_up(const std::string& problem);

  Stage& stage_;
  std::atomic<int> last_{0};
  RecordedRun run_;  // under way
  Bytes run_bytes_;

  mutable std::mutex mutex_;  // guards all below
  std::optional<Segment> previous_;
  std::optional<Segment> current_;
  std::string problem_;
};

}  // namespace askos::dataflow
