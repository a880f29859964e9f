// SPDX-License-Identifier: Apache-2.0
#include "recording/recording_file.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/io/array_file.hpp>

#include <bit>
#include <vector>

namespace askos::apps {
namespace {

const io::ArrayFileKind kKind{.kind = "recording", .format = 1};
constexpr const char* kMadeBy = "askos";

}  // namespace

void write_recording(const std::filesystem::path& path, const dataflow::Recording& recording) {
  static_assert(std::endian::native == std::endian::little, "recordings are little-endian");
  auto stamped = recording;
  stamped.notes[kMadeBy] = ASKOS_VERSION;
  std::vector<io::ArrayToWrite> arrays;
  dataflow::for_each_array(stamped,
                           [&](const std::string& name, const dataflow::StoredArray& array) {
                             arrays.push_back({name, array.dtype, array.shape, array.bytes});
                           });
  io::write_array_file(path, kKind, dataflow::recording_header(stamped), arrays);
}

dataflow::Recording read_recording(const std::filesystem::path& path) {
  const io::ArrayFile file(path, kKind);
  try {
    auto recording = dataflow::parse_recording_header(file.header());
    const auto made_by = recording.notes.find(kMadeBy);
    if (made_by == recording.notes.end() || made_by->second != ASKOS_VERSION) {
      throw Error(Errc::kInvalidInput, "recording is stale: another version of askos made it")
          .with("expected", ASKOS_VERSION)
          .with("found", made_by == recording.notes.end() ? "none" : made_by->second)
          .with("file", path.string());
    }
    dataflow::for_each_array(recording, [&](const std::string& name, dataflow::StoredArray& array) {
      array.bytes = file.read(name, array.dtype, array.shape);
    });
    return recording;
  } catch (Error& error) {
    const bool named = std::string_view(error.what()).find(path.string()) != std::string_view::npos;
    throw named ? error : error.with("file", path.string());
  }
}

void check_stage(const std::filesystem::path& path,
                 const dataflow::Recording& recording,
                 const std::string& stage) {
  if (stage == recording.stage) return;
  Error error(Errc::kNotFound, "recording is of another stage");
  error.with("stage", stage);
  suggest(error, stage, {recording.stage});
  throw error.with("file", path.string());
}

}  // namespace askos::apps
