// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace askos::apps {

enum class OutputStream { kOut, kErr };

/// Puts what many ranks print together line by line, so that no line is torn, each with its rank in
/// front; takes the ranks' reports out.
class RankOutput {
 public:
  struct Hooks {
    std::function<void(OutputStream, const std::string& line)> print;  ///< without end of line
    std::function<void(int rank, const std::string& report)> report;
  };

  RankOutput(Hooks hooks, bool prefix) : hooks_(std::move(hooks)), prefix_(prefix) {}

  /// Takes bytes that a rank printed, in any pieces.
  void take(int rank, OutputStream stream, std::string_view bytes);
  /// Prints what has no end of line yet.
  void finish();

 private:
  void end_line(int rank, OutputStream stream, std::string& line);

  Hooks hooks_;
  bool prefix_;
  std::map<std::pair<int, OutputStream>, std::string> open_;
};

/// Takes apart what `mpirun --tag-output` prints: `[1,2]<stderr>:` before each piece of a line of
/// rank 2. What has no tag is mpirun's own, as that of rank -1.
class TaggedOutput {
 public:
  TaggedOutput(RankOutput& ranks, OutputStream own_stream)
      : ranks_(ranks), own_stream_(own_stream) {}

  void take(std::string_view bytes);
  /// Passes on what looked like the beginning of a tag until the end.
  void finish();

 private:
  void pass_on(std::string_view bytes);

  RankOutput& ranks_;
  OutputStream own_stream_;
  std::string held_;  // may be the beginning of a tag
  int rank_ = -1;
  OutputStream stream_ = OutputStream::kErr;
};

}  // namespace askos::apps
