// SPDX-License-Identifier: Apache-2.0
#include "base64.hpp"
#include "status_json.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/recording.hpp>

namespace askos::dataflow {

Recording fetch_recording(const std::string& stage,
                          Rank rank,
                          const std::function<std::string(const std::string&)>& ask) {
  const auto answer = [&](const Json& request) { return Json::parse(ask(request.dump())); };
  const Json taken = answer({{"verb", "recording"}, {"stage", stage}, {"rank", rank.value}});
  auto recording = parse_recording_header(taken.at("header").get<std::string>());
  std::int64_t position = 0;
  for_each_array(recording, [&](const std::string& path, StoredArray& array) {
    const auto size = static_cast<std::size_t>(array.num_entries() * size_of(array.dtype));
    array.bytes.reserve(size);
    while (array.bytes.size() < size) {
      const Json part = answer({{"verb", "part"},
                                {"rank", rank.value},
                                {"recording", taken.at("recording")},
                                {"array", position},
                                {"offset", array.bytes.size()}});
      const auto bytes = from_base64(part.at("data").get<std::string>());
      if (bytes.empty() || array.bytes.size() + bytes.size() > size) {
        throw Error(Errc::kCorruptData, "recording came with another length than it said")
            .with("array", path);
      }
      array.bytes.insert(array.bytes.end(), bytes.begin(), bytes.end());
    }
    ++position;
  });
  return recording;
}

}  // namespace askos::dataflow
