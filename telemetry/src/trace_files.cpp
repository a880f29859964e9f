// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <fstream>
#include <functional>

namespace askos::telemetry {
namespace {

namespace fs = std::filesystem;

/// A name that no reader takes for the file until it is whole.
fs::path unfinished(const fs::path& path) {
  return path.string() + ".part";
}

void write_file(const fs::path& path, const std::function<void(std::ostream&)>& fill) {
  const fs::path part = unfinished(path);
  std::ofstream out(part, std::ios::binary);
  fill(out);
  out.close();
  std::error_code fault;
  if (out) {
    fs::rename(part, path, fault);
  }
  if (!out || fault) {
    std::error_code ignored;
    if (fs::is_regular_file(part, ignored)) {
      fs::remove(part, ignored);
    }
    throw Error(Errc::kEnvironment, "cannot write the trace").with("file", path.string());
  }
}

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
    write_file(path, [&](std::ostream& out) { write_perfetto(trace, out); });
    return {path};
  }
  std::vector<fs::path> written;
  const auto ranks = trace.ranks();
  for (const int rank : ranks) {
    fs::path file = path;
    if (ranks.size() > 1) {
      file.replace_extension(".rank" + std::to_string(rank) + ".json");
    }
    write_file(file, [&](std::ostream& out) { write_kineto(trace, rank, out); });
    written.push_back(file);
  }
  return written;
}

}  // namespace askos::telemetry
