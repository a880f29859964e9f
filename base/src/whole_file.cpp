// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/whole_file.hpp>

#include <fstream>

namespace askos {

namespace fs = std::filesystem;

void write_whole_file(const fs::path& path,
                      const std::string& failure,
                      const std::function<void(std::ostream&)>& fill) {
  const fs::path part = path.string() + ".part";
  std::ofstream out(part, std::ios::binary);
  fill(out);
  out.close();
  std::error_code fault;
  if (out) fs::rename(part, path, fault);
  if (!out || fault) {
    std::error_code ignored;
    if (fs::is_regular_file(part, ignored)) fs::remove(part, ignored);
    throw Error(Errc::kEnvironment, failure).with("file", path.string());
  }
}

}  // namespace askos
