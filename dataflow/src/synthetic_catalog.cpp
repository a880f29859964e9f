// SPDX-License-Identifier: Apache-2.0
// Options to arguments and back: the fallbacks are those of default-made options.
#include <askos/dataflow/synthetic.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace askos::dataflow::synthetic {
namespace {

constexpr std::array<std::pair<const char*, Distribution>, 4> kDistributions{
    {{"constant", Distribution::kConstant},
     {"normal", Distribution::kNormal},
     {"lognormal", Distribution::kLognormal},
     {"pareto", Distribution::kPareto}}};

std::string name_of(Distribution distribution) {
  return kDistributions[static_cast<std::size_t>(distribution)].first;
}

Distribution distribution_of(const std::string& name) {
  for (const auto& [known, distribution] : kDistributions) {
    if (name == known) {
      return distribution;
    }
  }
  return Distribution::kConstant;  // not reached: the catalog has checked the word
}

Arguments arguments_of(const ServiceOptions& options) {
  return {{"service", format_duration(options.time)},
          {"distribution", name_of(options.distribution)},
          {"spread", options.spread},
          {"burn", options.burn},
          {"dedicated", options.dedicated},
          {"seed", options.seed}};
}

std::vector<ArgumentSpec> with_service(std::vector<ArgumentSpec> own) {
  const Arguments fallback = arguments_of(ServiceOptions{});
  const std::vector<ArgumentSpec> service{
      {"service", ArgumentKind::kDuration, fallback.at("service"), "mean time of a firing"},
      {"distribution",
       ArgumentKind::kText,
       fallback.at("distribution"),
       "of the service time",
       {"constant", "normal", "lognormal", "pareto"}},
      {"spread", ArgumentKind::kNumber, fallback.at("spread"),
       "normal: deviation / mean; lognormal: deviation of the logarithm; pareto: tail index > 1; "
       "0: 0.25, 1 or 1.5"},
      {"burn", ArgumentKind::kFlag, fallback.at("burn"),
       "true: the service computes; false: it sleeps"},
      {"dedicated", ArgumentKind::kFlag, fallback.at("dedicated"), "run on a thread of its own"},
      {"seed", ArgumentKind::kInteger, fallback.at("seed"), "of the service times"}};
  own.insert(own.end(), service.begin(), service.end());
  return own;
}

ArgumentSpec bytes_spec() {
  return {"bytes", ArgumentKind::kBytes, std::int64_t{0},
          "largest payload, for the plan's bound; 0: not stated"};
}

int narrow(std::int64_t number) {
  return static_cast<int>(std::min<std::int64_t>(number, 1 << 20));
}

/// Keeps what differs from the default, so that files stay short.
Arguments difference(Arguments arguments, const Arguments& fallback) {
  std::erase_if(arguments, [&](const auto& entry) {
    const auto found = fallback.find(entry.first);
    return found != fallback.end() && found->second == entry.second;
  });
  return arguments;
}

Arguments arguments_of(const SourceOptions& options) {
  return {{"count", options.count},
          {"bytes", bytes_argument(options.bytes)},
          {"interval", format_duration(options.interval)},
          {"burst", options.burst},
          {"pause", format_duration(options.pause)},
          {"seed", options.seed}};
}

Arguments arguments_of(const WorkOptions& options) {
  Arguments arguments = arguments_of(options.service);
  arguments["batch"] = std::int64_t{options.batch};
  arguments["fault_at"] = options.fault_at;
  arguments["bytes"] = bytes_argument(options.bytes);
  return arguments;
}

Arguments arguments_of(const ForkOptions& options, const char* ways) {
  Arguments arguments = arguments_of(options.service);
  arguments[ways] = std::int64_t{options.ways};
  arguments["bytes"] = bytes_argument(options.bytes);
  return arguments;
}

Arguments arguments_of(const SinkOptions& options) {
  Arguments arguments = arguments_of(options.service);
  arguments["check"] = options.check;
  return arguments;
}

ForkOptions fork_of(const ArgumentValues& values, const char* ways) {
  return {.service = service_options(values),
          .ways = narrow(values.integer(ways)),
          .bytes = values.bytes("bytes")};
}

ArgumentSpec ways_spec(const char* name) {
  return {name, ArgumentKind::kInteger, std::int64_t{ForkOptions{}.ways}, "how many", {}, 1};
}

StageType source_type() {
  const Arguments fallback = arguments_of(SourceOptions{});
  return {
      .name = "source",
      .help = "makes packets: out",
      .arguments = {{"count", ArgumentKind::kInteger, fallback.at("count"),
                     "packets to make; 0: until stopped"},
                    {"bytes", ArgumentKind::kBytes, fallback.at("bytes"), "of each packet"},
                    {"interval", ArgumentKind::kDuration, fallback.at("interval"),
                     "between two packets of a burst"},
                    {"burst", ArgumentKind::kInteger, fallback.at("burst"),
                     "packets of a burst; 0: one endless burst"},
                    {"pause", ArgumentKind::kDuration, fallback.at("pause"), "between two bursts"},
                    {"seed", ArgumentKind::kInteger, fallback.at("seed"), "of the bytes"}},
      .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
        return std::make_unique<Source>(SourceOptions{.count = values.integer("count"),
                                                      .bytes = values.bytes("bytes"),
                                                      .interval = values.duration("interval"),
                                                      .burst = values.integer("burst"),
                                                      .pause = values.duration("pause"),
                                                      .seed = values.integer("seed")});
      }};
}

StageType work_type() {
  return {.name = "work",
          .help = "takes packets, spends its service time and sends them on: in, out",
          .arguments = with_service({{"batch",
                                      ArgumentKind::kInteger,
                                      std::int64_t{WorkOptions{}.batch},
                                      "packets taken and sent on by one firing",
                                      {},
                                      1},
                                     {"fault_at", ArgumentKind::kInteger, WorkOptions{}.fault_at,
                                      "which packet makes it fail, counted from 1; 0: none"},
                                     bytes_spec()}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<Work>(WorkOptions{.service = service_options(values),
                                                      .batch = narrow(values.integer("batch")),
                                                      .fault_at = values.integer("fault_at"),
                                                      .bytes = values.bytes("bytes")});
          }};
}

StageType fan_out_type() {
  return {.name = "fan_out",
          .help = "copies each packet to all outputs: in, out0, out1, ...",
          .arguments = with_service({ways_spec("outputs"), bytes_spec()}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<FanOut>(fork_of(values, "outputs"));
          }};
}

StageType join_type() {
  return {.name = "join",
          .help = "waits for a packet on each input and sends one on: in0, in1, ..., out",
          .arguments = with_service({ways_spec("inputs"), bytes_spec()}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<Join>(fork_of(values, "inputs"));
          }};
}

StageType route_type() {
  return {.name = "route",
          .help = "sends each packet to one of its outputs: in, out0, out1, ...",
          .arguments = with_service({ways_spec("outputs"),
                                     {"by",
                                      ArgumentKind::kText,
                                      "turn",
                                      "outputs take turns, or the sample's id decides",
                                      {"turn", "sample"}},
                                     bytes_spec()}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<Route>(fork_of(values, "outputs"),
                                           values.text("by") == "sample");
          }};
}

StageType merge_type() {
  return {.name = "merge",
          .help = "sends packets of any input on as they come: in0, in1, ..., out",
          .arguments = with_service({ways_spec("inputs"), bytes_spec()}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<Merge>(fork_of(values, "inputs"));
          }};
}

StageType sink_type() {
  return {.name = "sink",
          .help = "takes packets and counts them: in",
          .arguments = with_service({{"check", ArgumentKind::kFlag, SinkOptions{}.check,
                                      "sum the bytes again and fail if they changed"}}),
          .make = [](const ArgumentValues& values) -> std::unique_ptr<Stage> {
            return std::make_unique<Sink>(
                SinkOptions{.service = service_options(values), .check = values.flag("check")});
          }};
}

}  // namespace

ServiceOptions service_options(const ArgumentValues& values) {
  return {.time = values.duration("service"),
          .distribution = distribution_of(values.text("distribution")),
          .spread = values.number("spread"),
          .burn = values.flag("burn"),
          .dedicated = values.flag("dedicated"),
          .seed = values.integer("seed")};
}

Arguments Source::arguments() const {
  return difference(arguments_of(options_), arguments_of(SourceOptions{}));
}

Arguments Work::arguments() const {
  return difference(arguments_of(options_), arguments_of(WorkOptions{}));
}

Arguments FanOut::arguments() const {
  return difference(arguments_of(options_, "outputs"), arguments_of(ForkOptions{}, "outputs"));
}

Arguments Join::arguments() const {
  return difference(arguments_of(options_, "inputs"), arguments_of(ForkOptions{}, "inputs"));
}

Arguments Route::arguments() const {
  Arguments arguments =
      difference(arguments_of(options_, "outputs"), arguments_of(ForkOptions{}, "outputs"));
  if (by_sample_) {
    arguments["by"] = "sample";
  }
  return arguments;
}

Arguments Merge::arguments() const {
  return difference(arguments_of(options_, "inputs"), arguments_of(ForkOptions{}, "inputs"));
}

Arguments Sink::arguments() const {
  return difference(arguments_of(options_), arguments_of(SinkOptions{}));
}

void add_stage_types(StageCatalog& catalog) {
  catalog.add(source_type());
  catalog.add(work_type());
  catalog.add(fan_out_type());
  catalog.add(join_type());
  catalog.add(route_type());
  catalog.add(merge_type());
  catalog.add(sink_type());
}

}  // namespace askos::dataflow::synthetic
