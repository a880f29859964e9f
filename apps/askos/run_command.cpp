// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"
#include "graph_options.hpp"
#include "top_text.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/telemetry/run_span.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <poll.h>

#include <array>
#include <iostream>
#include <memory>
#include <optional>

namespace askos::apps {
namespace {

using dataflow::EngineKind;
using dataflow::Outcome;
using dataflow::Session;
using dataflow::SessionStatus;

struct RunOptions {
  GraphOptions graph;
  std::string engine = "actor";
  int num_threads = 0;
  std::string duration;  ///< empty: until the sources end
  std::string drain;     ///< empty: what the file says
  std::string trace;     ///< empty: no file
  std::string spans;     ///< likewise
};

/// Whatever can end the time that a graph runs before its sources do.
struct RunLimits {
  std::optional<Nanoseconds> duration;
  Nanoseconds drain;
};

/// Prints events either as text or as one JSON object per line.
class RunPrinter {
 public:
  explicit RunPrinter(bool json) : json_(json), line_(!json && stdout_is_terminal()) {}

  [[nodiscard]] Nanoseconds interval() const { return line_.interval(); }

  void plan(const dataflow::Plan& plan) {
    const auto& graph = plan.ranks().front();
    const auto& report = plan.report();
    if (json_) {
      print({{"event", "plan"},
             {"graph", graph.name()},
             {"stages", graph.stages().size()},
             {"edges", graph.edges().size()},
             {"host_bound", report.host_bound.value},
             {"device_bound", report.device_bound.value},
             {"bound_proved", report.bound_proved},
             {"unproved", report.unproved}});
      return;
    }
    std::cout << "plan: " << graph.name() << ": " << graph.stages().size() << " stages, "
              << graph.edges().size() << " edges, in flight at most " << report.host_bound
              << " on the host, " << report.device_bound << " on devices"
              << (report.bound_proved ? "" : " (not proved: some port states no size)") << "\n"
              << std::flush;
  }

  void progress(const Session& session) {
    SessionStatus now = session.status();
    const Json top = Json::parse(dataflow::top_json(session.plan(), last_, now));
    last_ = std::move(now);
    num_packets_ += top.at("packets").get<std::int64_t>();
    if (json_) {
      print({{"event", "progress"},
             {"age_s", top.at("age_s")},
             {"packets", num_packets_},
             {"packets_per_s", top.at("packets_per_s")}});
      return;
    }
    line_.show(clock_time(top.at("age_s").get<double>()) + "  " + std::to_string(num_packets_) +
               " packets  " + fixed(top.at("packets_per_s").get<double>(), 1) + " packets/s");
  }

  void end(const Session& session, const Outcome& outcome) {
    line_.finish();
    const Json top = Json::parse(dataflow::top_json(session.plan(), {}, session.status()));
    if (json_) {
      print({{"event", "end"},
             {"ok", outcome.ok()},
             {"undelivered", outcome.num_undelivered},
             {"undelivered_on", outcome.undelivered_on},
             {"skipped", outcome.skipped.size()},
             {"ledger", top}});
      return;
    }
    std::cout << top.at("state").get<std::string>() << ": " << top.at("packets") << " packets in "
              << fixed(top.at("age_s").get<double>(), 2) << " s, "
              << fixed(top.at("packets_per_s").get<double>(), 1) << " packets/s\n";
    if (!outcome.skipped.empty()) {
      std::cout << "failures absorbed: " << outcome.skipped.size() << ", the last one in "
                << outcome.skipped.back().stage << ": " << outcome.skipped.back().error.what()
                << "\n";
    }
    if (outcome.num_undelivered > 0) {
      std::cout << "not delivered: " << outcome.num_undelivered << " packets on";
      for (const auto& edge : outcome.undelivered_on) {
        std::cout << " " << edge;
      }
      std::cout << "\n";
    }
    std::cout << "\n";
    print_stages(top, std::cout);
    std::cout << "\n" << top.at("why").at("text").get<std::string>();
  }

 private:
  static void print(const Json& json) { std::cout << json.dump() << "\n" << std::flush; }

  bool json_;
  ProgressLine line_;
  SessionStatus last_;
  std::int64_t num_packets_ = 0;
};

/// Waits until the session has ended, time is up or a signal has come; then drains it.
Outcome run_until_end(Session& session,
                      EngineKind engine,
                      const RunLimits& limits,
                      StopSignal& stop,
                      RunPrinter& printer) {
  const Clock& clock = steady_clock();
  const Nanoseconds begin = clock.now();
  Nanoseconds next_progress = begin + printer.interval();
  while (!stop.arrived()) {
    const Nanoseconds now = clock.now();
    if (limits.duration && now - begin >= *limits.duration) {
      break;
    }
    if (now >= next_progress) {
      printer.progress(session);
      next_progress = now + printer.interval();
    }
    const Nanoseconds until =
        limits.duration ? std::min(next_progress, begin + *limits.duration) : next_progress;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    if (engine == EngineKind::kActor) {
      std::array<pollfd, 2> polls{pollfd{session.event_descriptor(), POLLIN, 0},
                                  pollfd{stop.descriptor(), POLLIN, 0}};
      (void)::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    }
    // On the serial engine waiting is what runs the graph.
    const Nanoseconds turn = engine == EngineKind::kActor ? Nanoseconds(0) : Nanoseconds(left);
    if (auto outcome = session.wait(turn)) {
      return *outcome;
    }
  }
  return session.drain(limits.drain);
}

/// Says where a failure happened besides what it was.
Error describe(const dataflow::StageFailure& failure) {
  Error error = failure.error;
  error.with("stage", failure.stage);
  if (failure.sample) {
    error.with("sample", *failure.sample);
  }
  return error;
}

/// The inspector is a convenience: a run goes on without it.
std::optional<dataflow::Inspector> open_inspector() {
  try {
    return std::optional<dataflow::Inspector>(std::in_place);
  } catch (const Error& error) {
    logger("askos.run")->warn("cannot be asked by ps, top and why: {}", error.what());
    return std::nullopt;
  }
}

int run(const RunOptions& options, bool json) {
  if (!options.trace.empty()) {
    telemetry::check_trace_path(options.trace);
  }
  StopSignal stop;
  telemetry::RunSpan span("askos run");
  auto file = load(options.graph);
  RunLimits limits{.duration = std::nullopt,
                   .drain = options.drain.empty() ? file.drain : parse_duration(options.drain)};
  if (!options.duration.empty()) {
    limits.duration = parse_duration(options.duration);
  }
  const auto engine = options.engine == "serial" ? EngineKind::kSerial : EngineKind::kActor;
  dataflow::Plan plan(std::move(file.graph), file.limits);
  RunPrinter printer(json);
  printer.plan(plan);
  const auto session =
      dataflow::start(std::move(plan), {.kind = engine, .num_threads = options.num_threads});
  const auto inspector = open_inspector();
  const auto attachment =
      inspector ? inspector->attach(*session) : dataflow::Inspector::Attachment();
  const Outcome outcome = run_until_end(*session, engine, limits, stop, printer);
  printer.end(*session, outcome);
  if (!options.trace.empty()) {
    telemetry::write_trace(session->trace(), options.trace);
  }
  if (!options.spans.empty()) {
    span.set("askos.graph", session->status().graph);
    span.end(outcome.failure ? outcome.failure->error.what() : "");
    span.append_to(options.spans);
  }
  if (outcome.failure) {
    throw describe(*outcome.failure);
  }
  return 0;
}

}  // namespace

void add_run(const CommandLine& line) {
  auto& command = *line.app.add_subcommand("run", "run a graph until its sources end, or Ctrl-C");
  auto options = std::make_shared<RunOptions>();
  add_graph_options(command, options->graph);
  command.add_option("--engine", options->engine, "actor, or serial: one stage after the other")
      ->check(CLI::IsMember({"actor", "serial"}))
      ->capture_default_str();
  command
      .add_option("--threads", options->num_threads,
                  "of the actor engine; 0: one per core, "
                  "at most 4")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--duration", options->duration, "drain after this time: 10s");
  command.add_option("--drain", options->drain, "deadline of a drain, instead of the file's");
  command
      .add_option("--trace", options->trace,
                  "write the newest events: .pftrace for Perfetto, .json for "
                  "HolisticTraceAnalysis (one file per rank)")
      ->type_name("FILE");
  command
      .add_option("--spans", options->spans,
                  "append the run's OpenTelemetry span as OTLP/JSON; it continues the trace that "
                  "TRACEPARENT names")
      ->type_name("FILE");
  add_common_options(command, line.common);
  command.footer(
      "Example: askos run examples/graphs/chain.toml --set \"stages.b.service=10 ms\"\n"
      "Keys of --set: stages.NAME.KEY, edges.FROM>TO.KEY, limits.KEY, graph.\n"
      "While it runs, `askos top` and `askos why` tell how it does.\n\n"
      "Stage types and their arguments:\n" +
      stage_catalog().help());
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return run(*options, common.json); };
  });
}

}  // namespace askos::apps
