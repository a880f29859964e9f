// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/dataflow/stage_catalog.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Stages without meaning, to try out graphs: how they flow, stall and fail.
namespace askos::dataflow::synthetic {

/// What synthetic stages pass on: some bytes, numbered and summed by the source that made them.
struct Blob {
  std::int64_t sequence = 0;
  std::uint64_t checksum = 0;
  std::vector<std::byte> bytes;
};

/// Lets inspectors look at the bytes.
[[nodiscard]] PayloadDescription describe_payload(const Blob& blob);
/// Let recorders keep them and make them again.
[[nodiscard]] StoredArrays store_payload(const Blob& blob);
void restore_payload(const StoredArrays& arrays, Blob& blob);

/// Sums the bytes as little-endian words; what a source stores in `Blob::checksum`.
[[nodiscard]] std::uint64_t checksum_of(const std::vector<std::byte>& bytes) noexcept;

/// Flips one bit of a blob's bytes for `FaultKind::kCorrupt`; blobs hold no numbers for `kNan`.
[[nodiscard]] std::shared_ptr<const Blob> damaged(const Blob& blob,
                                                  FaultKind kind,
                                                  std::uint64_t seed);

enum class Distribution {
  kConstant,
  kNormal,     ///< `spread`: standard deviation over mean; never below 0
  kLognormal,  ///< `spread`: standard deviation of the logarithm
  kPareto,     ///< `spread`: tail index, above 1; heavy below 2; cut at 1000 times the mean
};

/// How long a stage takes over a firing, and with what.
struct ServiceOptions {
  Nanoseconds time{};  ///< mean of the distribution
  Distribution distribution = Distribution::kConstant;
  double spread = 0;       ///< 0: 0.25 for normal, 1 for lognormal, 1.5 for Pareto
  bool burn = false;       ///< true: computes (`busy.cpu`); false: sleeps (`wait.io`)
  bool dedicated = false;  ///< true: on a thread of its own
  std::int64_t seed = 1;

  bool operator==(const ServiceOptions&) const = default;
};

/// Draws service times and spends them. Sleeping blocks no shared thread: the stage gives its
/// thread back and is woken. Throws `Errc::kInvalidInput` if `spread` does not fit.
class Service {
 public:
  explicit Service(const ServiceOptions& options);

  /// Returns true when the firing's service is over: the stage may take its packets. On false the
  /// engine has been asked to run the stage again in time.
  [[nodiscard]] bool is_over(Context& context);

  /// Draws the next service time.
  [[nodiscard]] Nanoseconds draw();

  [[nodiscard]] const ServiceOptions& options() const noexcept { return options_; }
  /// Takes other options from the next firing on. Throws as the constructor does.
  void change(const ServiceOptions& options);

 private:
  [[nodiscard]] double uniform();  // in (0, 1)
  [[nodiscard]] double normal();   // mean 0, deviation 1

  ServiceOptions options_;
  std::uint64_t random_;
  std::optional<Nanoseconds> due_;
};

struct SourceOptions {
  std::int64_t count = 0;  ///< packets to make; 0: until the session drains
  Bytes bytes{1024};       ///< of each packet
  Nanoseconds interval{};  ///< between two packets of a burst
  std::int64_t burst = 0;  ///< packets of a burst; 0: one endless burst
  Nanoseconds pause{};     ///< between two bursts
  std::int64_t seed = 1;   ///< of the bytes
};

/// Makes packets: `out`.
class Source final : public Stage {
 public:
  explicit Source(const SourceOptions& options);

  Out<Blob> out;

  void start(Context& context) override;
  void run(Context& context) override;
  [[nodiscard]] std::string type() const override { return "source"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;

 private:
  SourceOptions options_;
  std::int64_t num_made_ = 0;
  Nanoseconds next_{};
};

struct WorkOptions {
  ServiceOptions service{};
  int batch = 1;              ///< packets taken and sent on by one firing
  std::int64_t fault_at = 0;  ///< which packet makes it throw, counted from 1; 0: none
  Bytes bytes{};              ///< largest payload, for the plan's bound; 0: not stated
};

/// Takes packets from `in`, spends its service time and sends them on: `out`.
class Work final : public Stage {
 public:
  explicit Work(const WorkOptions& options);

  In<Blob> in;
  Out<Blob> out;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] std::string type() const override { return "work"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }
  [[nodiscard]] std::optional<StoredArrays> save_state() const override;
  void load_state(const StoredArrays& state) override;

 private:
  WorkOptions options_;
  Service service_;
  std::int64_t num_taken_ = 0;
};

struct ForkOptions {
  ServiceOptions service{};
  int ways = 2;   ///< how many outputs, or inputs
  Bytes bytes{};  ///< largest payload, for the plan's bound; 0: not stated
};

/// Copies each packet's handle from `in` to all of `out0`, `out1`, ….
class FanOut final : public Stage {
 public:
  explicit FanOut(const ForkOptions& options);

  In<Blob> in;
  std::deque<Out<Blob>> out;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] std::string type() const override { return "fan_out"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }

 private:
  ForkOptions options_;
  Service service_;
};

/// Waits for a packet on each of `in0`, `in1`, … and sends the first one with a payload on: `out`.
class Join final : public Stage {
 public:
  explicit Join(const ForkOptions& options);

  std::deque<In<Blob>> in;
  Out<Blob> out;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] std::string type() const override { return "join"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }

 private:
  ForkOptions options_;
  Service service_;
};

/// Sends each packet of `in` to one of `out0`, `out1`, …: in turn, or by its sample id.
class Route final : public Stage {
 public:
  Route(const ForkOptions& options, bool by_sample);

  In<Blob> in;
  std::deque<Out<Blob>> out;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] std::string type() const override { return "route"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }
  [[nodiscard]] std::optional<StoredArrays> save_state() const override;
  void load_state(const StoredArrays& state) override;

 private:
  ForkOptions options_;
  bool by_sample_;
  Service service_;
  std::int64_t num_routed_ = 0;
};

/// Sends packets from any of `in0`, `in1`, … on as they come, taking turns: `out`.
class Merge final : public Stage {
 public:
  explicit Merge(const ForkOptions& options);

  std::deque<In<Blob>> in;
  Out<Blob> out;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] Firing firing() const override { return Firing::kAny; }
  [[nodiscard]] std::string type() const override { return "merge"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }
  [[nodiscard]] std::optional<StoredArrays> save_state() const override;
  void load_state(const StoredArrays& state) override;

 private:
  ForkOptions options_;
  Service service_;
  std::size_t next_ = 0;
};

struct SinkOptions {
  ServiceOptions service{};
  bool check = false;  ///< true: sums the bytes again; `Errc::kCorruptData` if they changed
};

/// Takes packets from `in`, counts and forgets them.
class Sink final : public Stage {
 public:
  explicit Sink(const SinkOptions& options);

  In<Blob> in;

  void run(Context& context) override;
  [[nodiscard]] Threading threading() const override;
  [[nodiscard]] std::string type() const override { return "sink"; }
  [[nodiscard]] Arguments arguments() const override;
  [[nodiscard]] ArgumentChange change_argument(const std::string& name,
                                               const Argument& value) override;
  [[nodiscard]] bool replayable() const override { return true; }
  [[nodiscard]] std::optional<StoredArrays> save_state() const override;
  void load_state(const StoredArrays& state) override;

  /// What arrived; read them when the session has ended.
  [[nodiscard]] std::int64_t num_packets() const noexcept { return num_packets_; }
  [[nodiscard]] std::uint64_t checksum() const noexcept { return checksum_; }

 private:
  SinkOptions options_;
  Service service_;
  std::int64_t num_packets_ = 0;
  std::uint64_t checksum_ = 0;
};

/// Reads the arguments of a stage's service.
[[nodiscard]] ServiceOptions service_options(const ArgumentValues& values);

/// Adds all of the above to `catalog`, under the names that their `type()` returns.
void add_stage_types(StageCatalog& catalog);

}  // namespace askos::dataflow::synthetic
