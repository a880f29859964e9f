// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/whole_file.hpp>
#include <askos/telemetry/trace_files.hpp>

namespace askos::telemetry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFailure = "cannot write the trace";

}  // namespace

void check_trace_path(const fs::path& path) {
  if (path.extension() != ".pftrace" && path.extension() != ".json") {
    throw Error(Errc::kUsage, "the name of a trace tells its format by its extension")
        .with("file", path.string())
        .with("expected", ".pftrace (Perfetto) or .json (Kineto)");
  }
}

std::vector<fs::path> write_trace(const Trace& trace, const fs::path& path) {
  check_trace_path(path);
  if (path.extension() == ".pftrace") {
    write_whole_file(path, kFailure, [&](std::ostream& out) { write_perfetto(trace, out); });
    return {path};
  }
  std::vector<fs::path> written;
  const auto ranks = trace.ranks();
  for (const int rank : ranks) {
    fs::path file = path;
    if (ranks.size() > 1) {
      file.replace_extension(".rank" + std::to_string(rank) + ".json");
    }
    write_whole_file(file, kFailure, [&](std::ostream& out) { write_kineto(trace, rank, out); });
    written.push_back(file);
  }
  return written;
}

}  // namespace askos::telemetry
