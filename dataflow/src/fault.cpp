// SPDX-License-Identifier: Apache-2.0
#include "argument_list.hpp"
#include "split_mix.hpp"

#include <askos/dataflow/fault.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iterator>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr std::array<std::pair<std::string_view, FaultKind>, 7> kKinds{
    {{"kill", FaultKind::kKill},
     {"hang", FaultKind::kHang},
     {"slow", FaultKind::kSlow},
     {"corrupt", FaultKind::kCorrupt},
     {"io-error", FaultKind::kIoError},
     {"disk-full", FaultKind::kDiskFull},
     {"nan", FaultKind::kNan}}};

/// Names of file operations, as `io::FileOperations` calls them but for reads and writes.
const std::vector<std::string>& operations() {
  static const std::vector<std::string> names{
      "",       "open",        "create",      "read",          "write",      "sync",
      "rename", "make_folder", "sync_folder", "remove_folder", "remove_file"};
  return names;
}

const std::vector<ArgumentSpec>& entries() {
  static const std::vector<ArgumentSpec> specs = [] {
    const Fault fallback;
    std::vector<std::string> kinds;
    std::ranges::transform(kKinds, std::back_inserter(kinds),
                           [](const auto& entry) { return std::string(entry.first); });
    using Kind = ArgumentKind;
    return std::vector<ArgumentSpec>{
        {"kind", Kind::kText, "", "what happens", kinds},
        {"stage", Kind::kText, "", "where"},
        {"operation", Kind::kText, "", "file operation; none: run of the stage", operations()},
        {"rank", Kind::kInteger, std::int64_t{-1}, "-1: every rank", {}, -1},
        {"packet", Kind::kInteger, fallback.packet, "first that it strikes; 0: any"},
        {"times", Kind::kInteger, fallback.times, "how many; 0: one with packet, else all"},
        {"after", Kind::kDuration, "0 s", "since the start"},
        {"probability", Kind::kNumber, fallback.probability, "of each"},
        {"seed", Kind::kInteger, fallback.seed, "of the chances"},
        {"delay", Kind::kDuration, format_duration(fallback.delay), "of kind slow"}};
  }();
  return specs;
}

}  // namespace

std::string_view to_string(FaultKind kind) noexcept {
  return std::ranges::find(kKinds, kind, &std::pair<std::string_view, FaultKind>::second)->first;
}

Fault make_fault(const Arguments& given) {
  if (const auto wrong = check_arguments(entries(), given, "key"); !wrong.empty()) {
    throw Error(wrong.front());
  }
  for (const char* key : {"kind", "stage"}) {
    if (!given.contains(key)) {
      throw Error(Errc::kInvalidInput, "missing key").with("key", key);
    }
  }
  const auto values = complete(entries(), given);
  const auto kind = std::ranges::find(kKinds, std::string_view(values.text("kind")),
                                      &std::pair<std::string_view, FaultKind>::first);
  const auto rank = static_cast<int>(values.integer("rank"));
  if (values.number("probability") > 1) {
    throw Error(Errc::kInvalidInput, "wrong value")
        .with("key", "probability")
        .with("expected", "0 to 1")
        .with("found", values.number("probability"));
  }
  return {.kind = kind->second,
          .stage = values.text("stage"),
          .operation = values.text("operation"),
          .rank = rank < 0 ? std::nullopt : std::optional(rank),
          .packet = values.integer("packet"),
          .times = values.integer("times"),
          .after = values.duration("after"),
          .probability = values.number("probability"),
          .seed = values.integer("seed"),
          .delay = values.duration("delay")};
}

Arguments to_arguments(const Fault& fault) {
  const Fault fallback;
  Arguments entries{{"kind", std::string(to_string(fault.kind))}, {"stage", fault.stage}};
  if (!fault.operation.empty()) entries["operation"] = fault.operation;
  if (fault.rank) entries["rank"] = std::int64_t{*fault.rank};
  if (fault.packet != fallback.packet) entries["packet"] = fault.packet;
  if (fault.times != fallback.times) entries["times"] = fault.times;
  if (fault.after != fallback.after) entries["after"] = format_duration(fault.after);
  if (fault.probability != fallback.probability) entries["probability"] = fault.probability;
  if (fault.seed != fallback.seed) entries["seed"] = fault.seed;
  if (fault.delay != fallback.delay) entries["delay"] = format_duration(fault.delay);
  return entries;
}

FaultTrigger::FaultTrigger(Fault fault, int rank)
    : fault_(std::move(fault)),
      random_(static_cast<std::uint64_t>(fault_.seed) + (static_cast<std::uint64_t>(rank) << 32)) {
  if (fault_.times == 0 && fault_.packet > 0) fault_.times = 1;
}

bool FaultTrigger::strikes(Nanoseconds since_start) {
  ++num_events_;
  if (num_events_ < fault_.packet || since_start < fault_.after) return false;
  if (fault_.times > 0 && num_strikes_ == fault_.times) return false;
  const double chance = static_cast<double>(draw() >> 11) * 0x1p-53;
  if (chance >= fault_.probability) return false;
  ++num_strikes_;
  return true;
}

std::uint64_t FaultTrigger::draw() noexcept {
  return split_mix(random_);
}

void kill_this_process() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

}  // namespace askos::dataflow
