// SPDX-License-Identifier: Apache-2.0
#include "launch/rank_output.hpp"

#include "launch/rank_report.hpp"

#include <charconv>
#include <optional>

namespace askos::apps {
namespace {

struct Tag {
  int rank = -1;
  OutputStream stream = OutputStream::kErr;
  std::size_t size = 0;  ///< 0: more bytes must come before one can tell
};

/// Reads a tag at the beginning of `text`; nothing if there is none.
std::optional<Tag> read_tag(std::string_view text) {
  constexpr std::string_view kBegin = "[1,";
  constexpr std::string_view kOut = "]<stdout>:";
  constexpr std::string_view kErr = "]<stderr>:";
  const auto common = std::min(text.size(), kBegin.size());
  if (text.substr(0, common) != kBegin.substr(0, common)) {
    return std::nullopt;
  }
  if (text.size() == common) {
    return Tag{};
  }
  Tag tag;
  const auto* const end = text.data() + text.size();
  const auto [after, fault] = std::from_chars(text.data() + kBegin.size(), end, tag.rank);
  if (after == end) {
    return Tag{};
  }
  if (fault != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view rest(after, static_cast<std::size_t>(end - after));
  for (const auto& [name, stream] :
       {std::pair{kOut, OutputStream::kOut}, std::pair{kErr, OutputStream::kErr}}) {
    if (rest.starts_with(name)) {
      tag.stream = stream;
      tag.size = text.size() - rest.size() + name.size();
      return tag;
    }
    if (name.starts_with(rest)) {
      return Tag{};
    }
  }
  return std::nullopt;
}

}  // namespace

void RankOutput::take(int rank, OutputStream stream, std::string_view bytes) {
  auto& line = open_[{rank, stream}];
  for (const char byte : bytes) {
    if (byte == '\n') {
      end_line(rank, stream, line);
    } else if (byte == kReportMark && !line.empty()) {
      end_line(rank, stream, line);
      line = byte;
    } else {
      line += byte;
    }
  }
}

void RankOutput::end_line(int rank, OutputStream stream, std::string& line) {
  if (line.starts_with(kReportMark)) {
    hooks_.report(rank, line.substr(1));
  } else {
    const auto prefix = !prefix_ ? "" : rank < 0 ? "[mpirun] " : "[" + std::to_string(rank) + "] ";
    hooks_.print(stream, prefix + line);
  }
  line.clear();
}

void RankOutput::finish() {
  for (auto& [from, line] : open_) {
    if (!line.empty()) {
      end_line(from.first, from.second, line);
    }
  }
}

void TaggedOutput::take(std::string_view bytes) {
  held_ += bytes;
  std::string_view rest = held_;
  while (!rest.empty()) {
    const auto begin = rest.find('[');
    pass_on(rest.substr(0, begin));
    if (begin == std::string_view::npos) {
      rest = {};
      break;
    }
    rest.remove_prefix(begin);
    const auto tag = read_tag(rest);
    if (tag && tag->size == 0) {
      break;  // wait for the rest of it
    }
    if (tag) {
      rank_ = tag->rank;
      stream_ = tag->stream;
      rest.remove_prefix(tag->size);
    } else {
      pass_on(rest.substr(0, 1));
      rest.remove_prefix(1);
    }
  }
  held_ = std::string(rest);
}

void TaggedOutput::finish() {
  pass_on(std::exchange(held_, {}));
}

void TaggedOutput::pass_on(std::string_view bytes) {
  // A tag holds up to the end of its line; a line without one is mpirun's own.
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    ranks_.take(rank_, rank_ < 0 ? own_stream_ : stream_, piece);
    bytes.remove_prefix(piece.size());
    if (end != std::string_view::npos) {
      rank_ = -1;
    }
  }
}

}  // namespace askos::apps
