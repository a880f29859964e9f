// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace askos::apps {

/// How a program ended and what it printed.
struct Ended {
  int exit_code = -1;  ///< 128 + the signal's number if one ended it
  std::string out;
  std::string err;
};

/// A program under test, in a process of its own. Its output goes to files, so it never blocks on a
/// full pipe; its inspector's socket lies in a runtime folder of the test.
class Program {
 public:
  /// Starts `program` with `arguments` and the variables `environment` (`NAME=value`) on top of
  /// this process's. `folder` keeps its output and holds the runtime folder.
  Program(const std::filesystem::path& program,
          const std::vector<std::string>& arguments,
          const std::filesystem::path& folder,
          const std::vector<std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const;

  /// Waits until it ends; kills it after a minute.
  [[nodiscard]] Ended wait();

 private:
  pid_t pid_ = 0;
  std::filesystem::path out_;
  std::filesystem::path err_;
};

/// The program `name` beside the running one: where builds put both, and packed tests, too.
[[nodiscard]] std::string program_beside_this(const std::string& name);

/// Runs a program where no file may grow beyond `kibibytes`: to its writers like a disk that fills
/// up, but for the reason that the system gives.
[[nodiscard]] Ended run_with_small_files(int kibibytes,
                                         const std::filesystem::path& program,
                                         const std::vector<std::string>& arguments,
                                         const std::filesystem::path& folder);

/// A folder that lives as long as this.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Writes a file into it and returns its path.
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

}  // namespace askos::apps
