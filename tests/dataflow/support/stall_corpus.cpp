// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/stall_corpus.hpp"

#include "dataflow/support/meeting.hpp"

#include <askos/dataflow/synthetic.hpp>

#include <deque>
#include <memory>
#include <utility>

namespace askos::dataflow::test {
namespace {

using namespace std::chrono_literals;
using synthetic::Blob;
using telemetry::State;

std::vector<Graph> one(Graph graph) {
  std::vector<Graph> graphs;
  graphs.push_back(std::move(graph));
  return graphs;
}

synthetic::Source& add_source(Graph& graph, Nanoseconds interval = 0ms) {
  return graph.add<synthetic::Source>("source", synthetic::SourceOptions{.interval = interval});
}
synthetic::Work& add_work(Graph& graph, const std::string& name, Nanoseconds time, int batch = 1) {
  return graph.add<synthetic::Work>(
      name, synthetic::WorkOptions{.service = {.time = time}, .batch = batch});
}
synthetic::Sink& add_sink(Graph& graph, Nanoseconds time = 1ms) {
  return graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{.service = {.time = time}});
}

/// source -> w0 -> w1 -> … -> sink
std::vector<Graph> chain(const std::vector<Nanoseconds>& times,
                         int credit = 2,
                         Nanoseconds interval = 0ms,
                         Nanoseconds sink_time = 1ms) {
  Graph graph("chain");
  const Out<Blob>* from = &add_source(graph, interval).out;
  for (std::size_t i = 0; i < times.size(); ++i) {
    auto& work = add_work(graph, "w" + std::to_string(i), times[i]);
    graph.connect(*from, work.in, {.credit = credit});
    from = &work.out;
  }
  auto& sink = add_sink(graph, sink_time);
  graph.connect(*from, sink.in, {.credit = credit});
  return one(std::move(graph));
}

/// Two ways between fork and join; the long one has `length` stages.
std::vector<Graph> diamond(int length, Nanoseconds long_time, Nanoseconds short_time, int credit) {
  Graph graph("diamond");
  auto& source = add_source(graph);
  auto& fork = graph.add<synthetic::FanOut>("fork", synthetic::ForkOptions{});
  auto& join = graph.add<synthetic::Join>("join", synthetic::ForkOptions{});
  auto& near = add_work(graph, "near", short_time);
  auto& sink = add_sink(graph);
  graph.connect(source.out, fork.in);
  const Out<Blob>* from = &fork.out[0];
  for (int i = 0; i < length; ++i) {
    auto& far = add_work(graph, "far" + std::to_string(i), long_time);
    graph.connect(*from, far.in);
    from = &far.out;
  }
  graph.connect(*from, join.in[0]);
  graph.connect(fork.out[1], near.in, {.credit = credit});
  graph.connect(near.out, join.in[1], {.credit = 1});
  graph.connect(join.out, sink.in);
  return one(std::move(graph));
}

/// A loop: what comes round again lets the next one in.
std::vector<Graph> loop(int tokens, Nanoseconds time) {
  Graph graph("loop");
  auto& source = add_source(graph);
  auto& enter = graph.add<synthetic::Join>("enter", synthetic::ForkOptions{});
  auto& a = add_work(graph, "a", time);
  auto& b = add_work(graph, "b", time);
  auto& leave = graph.add<synthetic::FanOut>("leave", synthetic::ForkOptions{});
  auto& sink = add_sink(graph);
  graph.connect(source.out, enter.in[0]);
  graph.connect(enter.out, a.in, {.credit = 4});
  graph.connect(a.out, b.in, {.credit = 4});
  graph.connect(b.out, leave.in, {.credit = 4});
  graph.connect(leave.out[0], sink.in, {.credit = 4});
  graph.connect(leave.out[1], enter.in[1], {.credit = 4, .initial = tokens});
  return one(std::move(graph));
}

/// Meets the other ranks in a collective of virtual time: passes a packet on when all have come.
class Collective final : public Stage {
 public:
  Collective(std::shared_ptr<MeetingPoint> point, Nanoseconds before, Nanoseconds transfer)
      : point_(std::move(point)), service_({.time = before}), transfer_({.time = transfer}) {}
  In<Blob> in{*this, "in"};
  Out<Blob> out{*this, "out"};

  void run(Context& context) override {
    if (!arrived_ && !(arrived_ = service_.is_over(context))) return;
    const auto rank = static_cast<std::size_t>(context.rank().value);
    if (!met_ && !(met_ = point_->enter(rank, num_met_, context.waker()))) {
      return context.wake_at(Nanoseconds::max(), State::kWaitComm);
    }
    if (transfer_.options().time > 0ns && !left_) {
      left_ = true;
      return context.wake_at(context.clock().now() + transfer_.options().time, State::kWaitComm);
    }
    arrived_ = met_ = left_ = false;
    ++num_met_;
    auto packet = context.take(in);
    context.emit(out, std::move(packet.payload), packet.meta);
  }
  [[nodiscard]] std::string communicator() const override { return "model"; }

 private:
  std::shared_ptr<MeetingPoint> point_;
  synthetic::Service service_;
  synthetic::Service transfer_;
  std::int64_t num_met_ = 0;
  bool arrived_ = false;
  bool met_ = false;
  bool left_ = false;
};

struct RankTimes {
  Nanoseconds read;
  Nanoseconds compute;
};

/// Per rank: source -> read -> compute (meets the others) -> sink.
std::vector<Graph> ranks(const std::vector<RankTimes>& times, Nanoseconds transfer = 100us) {
  const auto point = std::make_shared<MeetingPoint>(times.size());
  std::vector<Graph> graphs;
  for (const auto& time : times) {
    auto& graph = graphs.emplace_back("ranks");
    auto& source = add_source(graph);
    auto& read = add_work(graph, "read", time.read);
    auto& compute = graph.add<Collective>("compute", point, time.compute, transfer);
    auto& sink = add_sink(graph);
    graph.connect(source.out, read.in);
    graph.connect(read.out, compute.in);
    graph.connect(compute.out, sink.in);
  }
  return graphs;
}

/// Makes packets from a pool of slots that come back when a payload dies.
class Pooled final : public Stage {
 public:
  Pooled(int slots, Nanoseconds time) : slots_(slots), service_({.time = time}) {}
  Out<Blob> out{*this, "out"};

  void run(Context& context) override {
    if (in_use_->load() == slots_) {  // looks again: what gives slots back knows nobody
      return context.wake_at(context.clock().now() + 100us, State::kWaitMem);
    }
    if (!service_.is_over(context)) return;
    ++*in_use_;
    context.emit(out, std::shared_ptr<const Blob>(new Blob, [in_use = in_use_](const Blob* blob) {
                   delete blob;
                   --*in_use;
                 }));
  }

 private:
  int slots_;
  synthetic::Service service_;
  std::shared_ptr<std::atomic<int>> in_use_ = std::make_shared<std::atomic<int>>(0);
};

std::vector<Graph> pooled(int slots,
                          const std::vector<Nanoseconds>& times,
                          Nanoseconds make = 1ms) {
  Graph graph("pooled");
  auto& source = graph.add<Pooled>("reader", slots, make);
  const Out<Blob>* from = &source.out;
  for (std::size_t i = 0; i < times.size(); ++i) {
    auto& work = add_work(graph, "w" + std::to_string(i), times[i]);
    graph.connect(*from, work.in, {.credit = 4});
    from = &work.out;
  }
  auto& sink = add_sink(graph, 100us);
  graph.connect(*from, sink.in, {.credit = 4});
  return one(std::move(graph));
}

/// Holds what it gets and never gives it back: its producer waits for credit, it for packets.
class Hoarder final : public Stage {
 public:
  In<Blob> in{*this, "in", {.rate = 0}};
  Out<Blob> out{*this, "out", {.rate = 0}};
  void run(Context& context) override { held_.push_back(context.take(in)); }
  [[nodiscard]] Firing firing() const override { return Firing::kAny; }

 private:
  std::vector<Packet<Blob>> held_;
};

std::vector<Graph> hoarding(int credit, int before) {
  Graph graph("hoarding");
  const Out<Blob>* from = &add_source(graph).out;
  for (int i = 0; i < before; ++i) {
    auto& work = add_work(graph, "w" + std::to_string(i), 1ms);
    graph.connect(*from, work.in);
    from = &work.out;
  }
  auto& hoarder = graph.add<Hoarder>("hoarder");
  auto& sink = add_sink(graph);
  graph.connect(*from, hoarder.in, {.credit = credit});
  graph.connect(hoarder.out, sink.in);
  return one(std::move(graph));
}

/// A stage that collects batches takes four at once.
std::vector<Graph> batching(Nanoseconds batch_time) {
  Graph graph("batching");
  auto& source = add_source(graph, 1ms);
  auto& pack = add_work(graph, "pack", batch_time, 4);
  auto& sink = add_sink(graph, 500us);
  graph.connect(source.out, pack.in, {.credit = 8});
  graph.connect(pack.out, sink.in, {.credit = 8});
  return one(std::move(graph));
}

std::vector<Graph> bursty(std::int64_t burst, Nanoseconds pause, Nanoseconds work_time) {
  Graph graph("bursty");
  auto& source = graph.add<synthetic::Source>(
      "source", synthetic::SourceOptions{.interval = 100us, .burst = burst, .pause = pause});
  auto& work = add_work(graph, "w0", work_time);
  auto& sink = add_sink(graph, 100us);
  graph.connect(source.out, work.in, {.credit = 4});
  graph.connect(work.out, sink.in, {.credit = 4});
  return one(std::move(graph));
}

}  // namespace

std::vector<StalledGraph> stalled_graphs() {
  const Verdict paced = Verdict::kPaced;
  const Verdict stuck = Verdict::kStuck;
  return {
      {"slow first", [] { return chain({6ms, 1ms, 1ms}); }, {.stage = "w0"}},
      {"slow middle", [] { return chain({1ms, 6ms, 1ms}); }, {.stage = "w1"}},
      {"slow last", [] { return chain({1ms, 1ms, 6ms}); }, {.stage = "w2"}},
      {"slow sink", [] { return chain({1ms, 1ms}, 2, 0ms, 9ms); }, {.stage = "sink"}},
      {"barely slower", [] { return chain({2ms, 3ms, 2ms, 2ms}); }, {.stage = "w1"}},
      {"slow behind long chain",
       [] { return chain({1ms, 1ms, 1ms, 1ms, 1ms, 1ms, 1ms, 1ms, 1ms, 5ms}); },
       {.stage = "w9"}},
      {"slow source",
       [] { return chain({1ms, 1ms}, 2, 5ms); },
       {.verdict = paced, .stage = "source"}},
      {"bursty source",
       [] { return bursty(10, 50ms, 1ms); },
       {.verdict = paced, .stage = "source"}},
      {"rare bursts", [] { return bursty(3, 200ms, 2ms); }, {.verdict = paced, .stage = "source"}},
      {"slow after bursts", [] { return bursty(10, 5ms, 4ms); }, {.stage = "w0"}},
      {"join waits for long way", [] { return diamond(1, 6ms, 1ms, 8); }, {.stage = "far0"}},
      {"join waits for short way", [] { return diamond(2, 1ms, 7ms, 8); }, {.stage = "near"}},
      {"reconvergence, short credit",
       [] { return diamond(6, 2ms, 100us, 1); },
       {.state = State::kWaitCredit, .edge = "near."}},
      {"reconvergence, longer way",
       [] { return diamond(9, 3ms, 100us, 2); },
       {.state = State::kWaitCredit, .edge = "near."}},
      {"credit of one in a chain",
       [] { return chain({3ms, 3ms}, 1); },
       {.state = State::kWaitCredit}},
      {"slow rank",
       [] { return ranks({{1ms, 2ms}, {1ms, 2ms}, {1ms, 8ms}}); },
       {.stage = "compute", .rank = Rank{2}}},
      {"slow first rank",
       [] { return ranks({{1ms, 9ms}, {1ms, 3ms}, {1ms, 3ms}, {1ms, 3ms}}); },
       {.stage = "compute", .rank = Rank{0}}},
      {"one rank reads slowly",
       [] { return ranks({{1ms, 2ms}, {9ms, 2ms}, {1ms, 2ms}}); },
       {.stage = "read", .rank = Rank{1}}},
      {"slow network",
       [] { return ranks({{1ms, 1ms}, {1ms, 1ms}}, 8ms); },
       {.stage = "compute", .state = State::kWaitComm}},
      {"exhausted pool",
       [] { return pooled(1, {3ms, 3ms, 3ms}); },
       {.stage = "reader", .state = State::kWaitMem}},
      {"exhausted pool of two",
       [] { return pooled(2, {2ms, 2ms, 2ms, 2ms, 2ms}); },
       {.stage = "reader", .state = State::kWaitMem}},
      {"pool held by a slow stage", [] { return pooled(4, {1ms, 8ms}); }, {.stage = "w1"}},
      {"hoarder", [] { return hoarding(2, 0); }, {.verdict = stuck}},
      {"hoarder behind a chain", [] { return hoarding(3, 4); }, {.verdict = stuck}},
      {"loop with one token", [] { return loop(1, 3ms); }, {.edge = "leave.out1>enter.in1"}},
      {"slow batches", [] { return batching(9ms); }, {.stage = "pack"}},
  };
}

std::vector<StalledGraph> healthy_graphs() {
  const Cause none{.verdict = Verdict::kBalanced};
  return {
      {"equal chain", [] { return chain({2ms, 2ms, 2ms}, 2, 0ms, 2ms); }, none},
      {"equal long chain", [] { return chain(std::vector<Nanoseconds>(12, 1ms)); }, none},
      {"equal, much credit", [] { return chain({2ms, 2ms}, 16, 0ms, 2ms); }, none},
      {"paced chain", [] { return chain({2ms, 2ms}, 2, 2ms, 2ms); }, none},
      {"equal diamond", [] { return diamond(1, 1ms, 1ms, 4); }, none},
      {"long diamond with credit", [] { return diamond(4, 1ms, 1ms, 12); }, none},
      {"equal ranks", [] { return ranks({{2ms, 2ms}, {2ms, 2ms}, {2ms, 2ms}}); }, none},
      {"two ranks", [] { return ranks({{1ms, 1ms}, {1ms, 1ms}}); }, none},
      {"pool of enough slots", [] { return pooled(16, {2ms, 2ms}, 2ms); }, none},
      {"fast bursts", [] { return bursty(4, 1ms, 300us); }, none},
      {"full loop", [] { return loop(4, 1ms); }, none},
      {"batches in time", [] { return batching(4ms); }, none},
  };
}

WhyReport why_after_a_second(const StalledGraph& graph) {
  SteppingClock clock;
  const auto session = start(Plan(graph.make()), {.kind = EngineKind::kSerial, .clock = &clock});
  constexpr Nanoseconds kSecond = 1s;
  while (clock.now() < kSecond && !session->wait(kSecond - clock.now())) {
    if (clock.now() < kSecond) clock.sleep_until(kSecond);  // it stands still
  }
  // What has stood still for a second says so only in a window of its own.
  const auto before = session->status();
  auto report = why(session->plan(), {}, before);
  session->stop();
  return report;
}

}  // namespace askos::dataflow::test
