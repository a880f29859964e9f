// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/id.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/fault.hpp>
#include <askos/dataflow/stage.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// What happens to a packet that finds its edge full.
enum class EdgePolicy {
  kBlock,       ///< the producer waits for credit
  kLatest,      ///< only the newest packet stays
  kDropOldest,  ///< the oldest packet makes room
  kFail,        ///< the producer fails with `Errc::kStalled`
};

struct EdgeOptions {
  int credit = 2;        ///< packets in flight: 2 is a double buffer
  Bytes host_bytes{};    ///< bytes in flight on the host; 0: bounded by `credit` alone
  Bytes device_bytes{};  ///< bytes in flight on a device; 0: bounded by `credit` alone
  EdgePolicy policy = EdgePolicy::kBlock;
  int initial = 0;  ///< empty packets on the edge at the start: what lets a cycle begin
};

/// What the engine does when a stage throws.
enum class FailurePolicy {
  kStop,     ///< the session fails
  kSkip,     ///< the packet is dropped and counted
  kRestart,  ///< the stage's `start` runs again, up to `StageOptions::max_restarts` times
};

struct StageOptions {
  FailurePolicy on_failure = FailurePolicy::kStop;
  int max_restarts = 3;
  int record = 0;                  ///< keep so many of its last runs from the start on; 0: do not
  std::vector<Fault> faults = {};  ///< injected on purpose
};

/// Names stages and the edges between their ports; a value that knows nothing of what runs it.
class Graph {
 public:
  struct Node {
    std::string name;
    StageOptions options;
    std::unique_ptr<Stage> stage;
  };
  struct Edge {
    const OutPort* from;
    const InPort* to;
    EdgeOptions options;
  };

  explicit Graph(std::string name) : name_(std::move(name)) {}

  /// Makes a stage and returns it, so that its ports can be connected.
  template <typename S, typename... Args>
  S& add(const std::string& name, Args&&... args) {
    auto stage = std::make_unique<S>(std::forward<Args>(args)...);
    S& reference = *stage;
    insert(name, std::move(stage));
    return reference;
  }
  Stage& insert(const std::string& name, std::unique_ptr<Stage> stage, StageOptions options = {});

  /// Sets what happens when `stage` fails. Throws `Errc::kNotFound` if it is of another graph.
  void configure(const Stage& stage, StageOptions options);

  /// Injects a fault into the stage that it names. Throws `Errc::kNotFound`, with the nearest name,
  /// if there is none.
  void inject(const Fault& fault);

  /// Joins two ports of the same payload type; another type does not compile.
  template <typename T>
  EdgeId connect(const Out<T>& from, const In<T>& to, EdgeOptions options = {}) {
    return connect_ports(from, to, options);
  }
  /// Joins two ports whose types are known at run time only; the plan reports a mismatch.
  EdgeId connect_ports(const OutPort& from, const InPort& to, EdgeOptions options = {});

  /// Says something about the graph that its recordings carry along.
  void note(const std::string& key, std::string text) { notes_[key] = std::move(text); }
  [[nodiscard]] const std::map<std::string, std::string>& notes() const noexcept { return notes_; }

  /// Changes the credit of an edge.
  void set_credit(EdgeId edge, int credit) {
    edges_.at(static_cast<std::size_t>(edge.value)).options.credit = credit;
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::vector<Node>& stages() const noexcept { return stages_; }
  [[nodiscard]] const std::vector<Edge>& edges() const noexcept { return edges_; }
  [[nodiscard]] const Node* find_stage(std::string_view name) const noexcept;
  [[nodiscard]] StageId id_of(const Stage& stage) const;
  /// Prints `read.out>part.in`, the edge's name in messages and commands.
  [[nodiscard]] std::string edge_name(EdgeId edge) const;

 private:
  std::string name_;
  std::vector<Node> stages_;
  std::vector<Edge> edges_;
  std::map<std::string, std::string> notes_;
};

}  // namespace askos::dataflow
