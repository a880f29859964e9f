// SPDX-License-Identifier: Apache-2.0
// The verbs about recordings: record, recording, part. A recording is fetched in pieces, so that it
// may be larger than anything that fits a line, and is not changed by what runs meanwhile.
#include "base64.hpp"
#include "inspector_request.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control.hpp>

#include <algorithm>
#include <span>

namespace askos::dataflow {
namespace {

constexpr std::int64_t kPartBytes = std::int64_t{1} << 20;

Control& control_of(const Request& request, const InspectedSessions& sessions) {
  return chosen_session(request, sessions).session->control();
}

Rank rank_of(const Request& request) {
  return Rank{small_integer(request, "rank", 0)};
}

Json record(const Request& request, const InspectedSessions& sessions) {
  auto& control = control_of(request, sessions);
  const auto stage = required_text(request, "stage");
  const int last = small_integer(request, "last", 0);
  auto status = control.recording_status(stage, rank_of(request));
  const int before = status.last;
  // Whoever wants fewer runs than are kept finds them among these.
  const bool forget = request.has("last") && last == 0;
  if (forget || last > status.last) status = control.record(stage, rank_of(request), last);
  return {{"stage", status.stage},    {"rank", status.rank.value}, {"last", status.last},
          {"before", before},         {"runs", status.num_runs},   {"bytes", status.bytes.value},
          {"problem", status.problem}};
}

Json recording(const Request& request, const InspectedSessions& sessions) {
  auto& control = control_of(request, sessions);
  const auto taken = control.take_recording(required_text(request, "stage"), rank_of(request));
  return {{"recording", control.keep_recording(taken)}, {"header", recording_header(*taken)}};
}

Json part(const Request& request, const InspectedSessions& sessions) {
  const auto kept =
      control_of(request, sessions).kept_recording(small_integer(request, "recording", 0));
  const auto wanted = request.integer("array", 0);
  const auto offset = request.integer("offset", 0);
  std::span<const std::byte> bytes;
  std::int64_t position = 0;
  for_each_array(*kept, [&](const std::string&, const StoredArray& array) {
    if (position++ == wanted) bytes = array.bytes;
  });
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (wanted < 0 || wanted >= position || offset < 0 || offset > size) {
    throw Error(Errc::kUsage, "recording has no such part")
        .with("array", wanted)
        .with("arrays", position)
        .with("offset", offset);
  }
  const auto length = std::min(kPartBytes, size - offset);
  return {{"data", to_base64(bytes.subspan(static_cast<std::size_t>(offset),
                                           static_cast<std::size_t>(length)))}};
}

}  // namespace

const std::vector<Verb>& recording_verbs() {
  static const std::vector<Verb> verbs{{"record", true, record, Reach::kRank},
                                       {"recording", true, recording, Reach::kRank},
                                       {"part", false, part, Reach::kRank}};
  return verbs;
}

}  // namespace askos::dataflow
