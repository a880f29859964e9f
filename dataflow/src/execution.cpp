// SPDX-License-Identifier: Apache-2.0
#include "execution.hpp"

#include "event_descriptor.hpp"
#include "tensor_look.hpp"
#include "type_name.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kLongWait = std::chrono::hours(24 * 365);  // adding it to now is safe

}  // namespace

Execution::Execution(Plan plan, Clock& clock, OperatorTracing operator_tracing)
    : plan_(std::move(plan)),
      clock_(clock),
      started_(clock.now()),
      event_descriptor_(make_event_descriptor()),
      operator_tracing_(std::move(operator_tracing)) {}

Execution::~Execution() {
  close_event_descriptor(event_descriptor_);
}

std::shared_ptr<Execution> Execution::make(Plan plan,
                                           Clock& clock,
                                           const RunnerOptions& options,
                                           OperatorTracing operator_tracing) {
  std::shared_ptr<Execution> execution(
      new Execution(std::move(plan), clock, std::move(operator_tracing)));
  Rank rank = execution->plan_.first_rank();
  for (const auto& graph : execution->plan_.ranks()) {
    execution->build_rank(graph, rank, options);
    ++rank.value;
  }
  execution->num_running_ = static_cast<int>(execution->runners_.size());
  execution->begins_paused_ = options.paused;
  execution->recordings_.arm_from_start();
  return execution;
}

void Execution::build_rank(const Graph& graph, Rank rank, const RunnerOptions& options) {
  std::vector<StageRunner::Connections> connections;
  for (const auto& node : graph.stages()) {
    auto& connection = connections.emplace_back();
    connection.inputs.resize(node.stage->inputs().size());
    connection.outputs.resize(node.stage->outputs().size());
  }
  const auto first_runner = runners_.size();
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& [from, to, edge_options] = graph.edges()[i];
    const EdgeId edge{static_cast<int>(i)};
    const auto producer = static_cast<std::size_t>(graph.id_of(from->owner()).value);
    const auto consumer = static_cast<std::size_t>(graph.id_of(to->owner()).value);
    auto state = EdgeState::make({.options = edge_options,
                                  .packet_host_bytes = from->contract().host_bytes,
                                  .packet_device_bytes = from->contract().device_bytes});
    connections[producer].outputs[static_cast<std::size_t>(from->index())].push_back(
        {state.get(), i});
    connections[consumer].inputs[static_cast<std::size_t>(to->index())] = state.get();
    edges_.push_back({std::move(state), edge, graph.edge_name(edge), rank, first_runner + producer,
                      first_runner + consumer});
  }
  for (std::size_t i = 0; i < graph.stages().size(); ++i) {
    runners_.push_back(std::make_unique<StageRunner>(*this, graph.stages()[i], rank,
                                                     static_cast<std::uint16_t>(runners_.size()),
                                                     connections[i], options));
  }
}

void Execution::launch(Scheduler& scheduler) {
  scheduler_ = &scheduler;
  for (auto& edge : edges_) {
    edge.state->connect(share(*runners_[edge.producer]), share(*runners_[edge.consumer]));
  }
  if (runners_.empty()) {
    complete();
  } else if (begins_paused_) {
    hold_.pause({.name = kAnyDebugger}, /*stage=*/{}, "pause");
  } else {
    wake_all();
  }
}

void Execution::wake_all() {
  for (const auto& runner : runners_) runner->interrupt();
}

void Execution::request_drain() {
  draining_ = true;
  hold_.release();
  wake_all();
}

void Execution::request_stop(std::optional<StageFailure> reason) {
  {
    const std::lock_guard lock(mutex_);
    if (reason && !failure_ && !outcome_) failure_ = std::move(reason);
  }
  stopped_ = true;
  hold_.release();
  wake_all();
}

const StageRunner* Execution::find_culprit() const {
  using telemetry::State;
  const StageRunner* first = nullptr;
  for (const auto& runner : runners_) {
    if (runner->ended()) continue;
    if (first == nullptr) first = runner.get();
    const auto state = runner->state();
    if (state != State::kWaitInput && state != State::kWaitCredit && state != State::kWaitSched) {
      return runner.get();
    }
  }
  return first;
}

void Execution::give_up_drain() {
  const auto* const culprit = find_culprit();
  if (culprit == nullptr) return;
  Error error(Errc::kStalled, "drain missed its deadline");
  error.with("stage", culprit->name()).with("state", telemetry::to_string(culprit->state()));
  request_stop(StageFailure{culprit->name(), culprit->rank(), {}, std::move(error)});
}

std::optional<Outcome> Execution::wait(Nanoseconds deadline) {
  std::unique_lock lock(mutex_);
  done_changed_.wait_for(lock, std::min(deadline, kLongWait),
                         [this] { return outcome_.has_value(); });
  return outcome_;
}

std::optional<Outcome> Execution::outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_;
}

Outcome Execution::preliminary_outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_ ? *outcome_ : gather_outcome();
}

void Execution::when_done(std::function<void(const Outcome&)> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!outcome_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback(*outcome());
}

void Execution::absorb(StageFailure failure) {
  const std::lock_guard lock(mutex_);
  skipped_.push_back(std::move(failure));
}

std::string Execution::edge_name(Rank rank, std::size_t graph_edge) const {
  return plan_.graph_of(rank).edge_name(EdgeId{static_cast<int>(graph_edge)});
}

std::vector<std::size_t> Execution::edges_named(std::string_view name,
                                                std::optional<Rank> rank) const {
  std::vector<std::size_t> found;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    names.push_back(edges_[i].name);
    if (edges_[i].name == name && (!rank || edges_[i].rank == *rank)) found.push_back(i);
  }
  if (!found.empty()) return found;
  if (std::ranges::find(names, name) != names.end()) {
    throw Error(Errc::kNotFound, "no such rank")
        .with("rank", *rank)
        .with("ranks", plan_.ranks().size());
  }
  Error error(Errc::kNotFound, "no edge of that name");
  error.with("edge", name);
  suggest(error, name, names);
  throw error;
}

const Graph::Edge& Execution::graph_edge(const RunningEdge& edge) const {
  return plan_.graph_of(edge.rank).edges().at(static_cast<std::size_t>(edge.edge.value));
}

double Execution::seconds_between(std::uint64_t tick, std::uint64_t now) const {
  return tick == 0 || tick > now
             ? 0
             : static_cast<double>(now - tick) * trace_.nanoseconds_per_tick() * 1e-9;
}

Peek Execution::peek(const PeekRequest& request) {
  const auto& edge = edges_[edges_named(request.edge, request.rank).front()];
  const auto& port = *graph_edge(edge).from;
  const auto reading = edge.state->read();
  Peek peek{.edge = edge.name,
            .rank = edge.rank,
            .credit = reading.credit,
            .depth = reading.depth,
            .in_flight = reading.in_flight};
  const auto now = telemetry::ticks();
  for (auto& seen : edge.state->look()) {
    const int index = static_cast<int>(peek.packets.size());
    auto& packet = peek.packets.emplace_back();
    packet.index = index;
    packet.meta = seen.meta;
    packet.age = Nanoseconds(std::llround(seconds_between(seen.tick, now) * 1e9));
    packet.type = type_name(port.payload_type());
    packet.described = port.describer() != nullptr && seen.payload != nullptr;
    packet.payload = std::move(seen.payload);
    if (!packet.described || (request.index && *request.index != index)) continue;
    for (const auto& tensor : port.describer()(packet.payload.get())) {
      if (!request.tensor.empty() && tensor.name != request.tensor) continue;
      packet.tensors.push_back(look_at(tensor, request));
    }
  }
  if (request.index) {
    std::erase_if(peek.packets, [&](const auto& packet) { return packet.index != *request.index; });
  }
  return peek;
}

CreditChange Execution::change_credit(std::string_view name, int credit) {
  const auto found = edges_named(name, std::nullopt);
  const auto id = edges_[found.front()].edge;
  const std::lock_guard lock(credit_mutex_);
  CreditChange change{.edge = std::string(name),
                      .before = graph_edge(edges_[found.front()]).options.credit,
                      .after = credit};
  plan_.change_credit(id, credit);
  const auto applied = std::make_shared<std::atomic<bool>>(false);
  hold_.when_all_stand([this, found, credit, applied] {
    for (const auto position : found) edges_[position].state->set_credit(credit);
    applied->store(true);
  });
  change.applied = applied->load();
  return change;
}

std::vector<StageRunner*> Execution::runners_named(std::string_view stage) const {
  std::vector<StageRunner*> ranks;
  std::vector<std::string> names;
  for (const auto& runner : runners_) {
    names.push_back(runner->name());
    if (runner->name() == stage) ranks.push_back(runner.get());
  }
  if (ranks.empty()) {
    Error error(Errc::kNotFound, "no stage of that name");
    error.with("stage", stage);
    suggest(error, stage, names);
    throw error;
  }
  return ranks;
}

StageChange Execution::change_argument(std::string_view stage,
                                       const std::string& argument,
                                       const Argument& value) {
  const auto ranks = runners_named(stage);
  if (std::ranges::all_of(ranks, &StageRunner::ended)) {
    throw Error(Errc::kUsage, "stage has ended, nothing of it can be changed").with("stage", stage);
  }
  StageChange change{.stage = std::string(stage), .argument = argument, .after = value};
  std::vector<std::function<void()>> changes;
  for (auto* const runner : ranks) {
    try {
      const std::lock_guard lock(arguments_mutex_);
      auto prepared = runner->stage().change_argument(argument, value);
      change.before = std::move(prepared.before);
      changes.push_back(std::move(prepared.apply));
    } catch (Error& error) {
      throw error.with("stage", stage);
    }
  }
  const auto applied = std::make_shared<std::atomic<bool>>(false);
  hold_.when_all_stand([this, ranks, changes, applied] {
    const std::lock_guard lock(arguments_mutex_);
    for (const auto& apply : changes) apply();
    for (auto* const runner : ranks) runner->recorder().restart();
    applied->store(true);
  });
  change.applied = applied->load();
  return change;
}

Arguments Execution::arguments_of(const Stage& stage) const {
  const std::lock_guard lock(arguments_mutex_);
  return stage.arguments();
}

void Execution::note_ended() {
  if (num_running_.fetch_sub(1) == 1) {
    complete();
  }
}

void Execution::complete() {
  for (auto& edge : edges_) edge.state->connect(nullptr, nullptr);
  std::vector<std::function<void(const Outcome&)>> callbacks;
  Outcome outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome_ = gather_outcome();
    outcome = *outcome_;
    callbacks.swap(callbacks_);
    raise_event(event_descriptor_);
    done_changed_.notify_all();
  }
  for (const auto& callback : callbacks) callback(outcome);
}

Outcome Execution::gather_outcome() const {
  Outcome outcome{.failure = failure_, .skipped = skipped_};
  for (const auto& edge : edges_) {
    const auto reading = edge.state->read();
    const auto num_left = reading.num_undelivered + reading.depth;
    if (num_left > 0) {
      outcome.num_undelivered += num_left;
      outcome.undelivered_on.push_back(edge.name);
    }
  }
  return outcome;
}

SessionStatus Execution::status() const {
  SessionStatus status;
  const auto& ranks = plan_.ranks();
  status.graph = ranks.empty() ? "" : ranks.front().name();
  {
    const std::lock_guard lock(mutex_);
    status.failure = failure_;
    status.state = failure_ ? "failed" : outcome_ ? "done" : draining_ ? "draining" : "running";
  }
  status.age = clock_.now() - started_;
  for (const auto& runner : runners_) {
    status.stages.push_back(runner->status(plan_.graph_of(runner->rank()).edges().size()));
  }
  for (const auto& edge : edges_) {
    const auto reading = edge.state->read();
    status.edges.push_back({.edge = edge.edge,
                            .name = edge.name,
                            .rank = edge.rank,
                            .credit = reading.credit,
                            .depth = reading.depth,
                            .in_flight = reading.in_flight,
                            .host_bytes = reading.host_bytes,
                            .device_bytes = reading.device_bytes,
                            .num_packets = reading.num_packets,
                            .num_dropped = reading.num_dropped});
  }
  return status;
}

telemetry::Trace Execution::trace_since(Nanoseconds since) const {
  const auto unix_now = std::chrono::system_clock::now().time_since_epoch();
  const Nanoseconds offset = unix_now - std::chrono::steady_clock::now().time_since_epoch();
  auto contents = trace_.read(since);
  telemetry::Trace trace{.graph = plan_.ranks().empty() ? "" : plan_.ranks().front().name(),
                         .unix_offset_ns = offset.count(),
                         .events = std::move(contents.events),
                         .operators = std::move(contents.operators),
                         .num_lost_operators = contents.num_lost_operators};
  for (const auto& runner : runners_) {
    trace.tracks.push_back({.rank = runner->rank().value, .name = runner->name()});
  }
  for (const auto& edge : edges_) {
    trace.edges.push_back({edge.name, edge.producer, edge.consumer});
  }
  return trace;
}

}  // namespace askos::dataflow
