// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/atomic_file.hpp>
#include <askos/io/hooked_file_operations.hpp>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <numeric>

namespace askos::io {
namespace {

std::vector<std::byte> numbered(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(i * 31 + i / 256);
  }
  return bytes;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(File, GoesOnAfterShortReadsAndWritesAndSignals) {
  const TemporaryFolder folder;
  const auto bytes = numbered(20'000);
  for (const std::size_t limit : {1UL, 7UL, 4096UL, 19'999UL}) {
    int calls = 0;
    HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
      return call.name.starts_with("p") && ++calls % 3 == 0 ? -EINTR : 0;
    });
    operations.max_bytes_per_call = limit;
    const File file(operations, folder / "x", OpenMode::kCreate);
    file.write(5, bytes);
    std::vector<std::byte> found(bytes.size());
    file.read(5, std::span(found));
    EXPECT_EQ(found, bytes);
    std::ranges::fill(found, std::byte{0});
    std::vector<iovec> pieces;
    for (std::size_t at = 0; at < found.size(); at += 3000) {
      pieces.push_back({found.data() + at, std::min<std::size_t>(3000, found.size() - at)});
    }
    file.read(5, pieces);
    EXPECT_EQ(found, bytes) << limit;
  }
}

TEST(File, ScattersOverMorePiecesThanOneCallTakes) {
  const TemporaryFolder folder;
  const auto bytes = numbered(9'000);
  const File file(system_file_operations(), folder / "x", OpenMode::kCreate);
  file.write(0, bytes);
  std::vector<std::byte> found(bytes.size());
  std::vector<iovec> pieces;
  for (std::byte& byte : found) {
    pieces.push_back({&byte, 1});
  }
  file.read(0, pieces);
  EXPECT_EQ(found, bytes);
}

TEST(File, NamesThePathAndTheReason) {
  const Error absent =
      error_of([] { File(system_file_operations(), "/no/such/file", OpenMode::kRead); });
  EXPECT_EQ(absent.code(), Errc::kNotFound);
  EXPECT_STREQ(
      absent.what(),
      "no such file: file=/no/such/file, while=opening, reason='No such file or directory'");
}

TEST(WriteFileAtomically, ShowsTheOldContentOrTheNewWheneverItIsStopped) {
  struct Killed {};
  bool finished = false;
  for (int killed_at = 0; !finished; ++killed_at) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "x", [](ByteSink& sink) { sink.append("old"); });
    int calls = 0;
    HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
      if (calls++ < killed_at) {
        return 0;
      }
      if (calls - 1 == killed_at && call.name != "close") {
        throw Killed();
      }
      return -EIO;  // a dead process does nothing more
    });
    try {
      write_file_atomically(folder / "x", [](ByteSink& sink) { sink.append("new"); }, operations);
      finished = true;
    } catch (const Killed&) {
    } catch (const Error&) {
    }
    const std::string text = text_of(folder / "x");
    EXPECT_TRUE(text == (finished ? "new" : "old") || (text == "new" && killed_at > 4)) << text;
  }
}

TEST(WriteFileAtomically, LeavesNothingBehindIfTheWriterFails) {
  const TemporaryFolder folder;
  const Error error = error_of([&] {
    write_file_atomically(folder / "x", [](ByteSink& sink) {
      sink.append("half");
      throw Error(Errc::kInternal, "stop");
    });
  });
  EXPECT_EQ(error.text(), "stop");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace askos::io
