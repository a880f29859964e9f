// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/whole_file.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <ostream>

namespace askos {
namespace {

namespace fs = std::filesystem;

class WholeFile : public ::testing::Test {
 protected:
  WholeFile() { fs::create_directories(folder_); }
  ~WholeFile() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string content() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] auto num_files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) / ("whole_file_" + std::to_string(::getpid()));
  const fs::path path_ = folder_ / "file";
};

TEST_F(WholeFile, TakesThePlaceOfAnotherWhenItIsComplete) {
  write_whole_file(path_, "cannot write", [](std::ostream& out) { out << "old"; });
  write_whole_file(path_, "cannot write", [&](std::ostream& out) {
    out << "new" << std::flush;
    EXPECT_EQ(content(), "old");
  });
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(num_files(), 1);
}

TEST_F(WholeFile, LeavesWhatWasThereIfItFails) {
  write_whole_file(path_, "cannot write", [](std::ostream& out) { out << "old"; });
  try {
    write_whole_file(path_, "cannot write", [](std::ostream& out) {
      out << "new";
      out.setstate(std::ios::badbit);  // as on a full disk
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
    EXPECT_EQ(std::string(error.what()), "cannot write: file=" + path_.string());
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(num_files(), 1);
  EXPECT_THROW(write_whole_file(folder_ / "no" / "file", "cannot write", [](std::ostream&) {}),
               Error);
}

}  // namespace
}  // namespace askos
