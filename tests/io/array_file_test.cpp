// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/base/error.hpp>
#include <askos/io/array_file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

namespace askos::io {
namespace {

using ::testing::HasSubstr;

const ArrayFileKind kKind{.kind = "recording", .format = 3};

class ArrayFileTest : public ::testing::Test {
 protected:
  ArrayFileTest() {
    for (int i = 0; i < 24; ++i) bytes_.push_back(static_cast<std::byte>(7 * i + 1));
  }
  void write() const {
    const std::span all(bytes_);
    const std::vector<ArrayToWrite> arrays{{"state/layer.weight", DType::kFloat32, {2, 3}, all},
                                           {"state/half", DType::kBFloat16, {3}, all.first(6)},
                                           {"runs/0/inputs/0/none", DType::kInt64, {0, 4}, {}},
                                           {"one", DType::kFloat64, {}, all.first(8)}};
    write_array_file(path_, kKind, R"({"text": "käse"})", arrays);
  }
  [[nodiscard]] std::string fault(const std::function<void()>& call, Errc code) const {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
      return error.what();
    }
    return "nothing was thrown";
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "arrays.h5";
  std::vector<std::byte> bytes_;
};

TEST_F(ArrayFileTest, ReadsBackWhatItWrote) {
  write();
  const ArrayFile file(path_, kKind);
  EXPECT_EQ(file.header(), R"({"text": "käse"})");
  EXPECT_EQ(file.read("state/layer.weight", DType::kFloat32, {2, 3}), bytes_);
  EXPECT_EQ(file.read("state/half", DType::kBFloat16, {3}).size(), 6U);
  EXPECT_TRUE(file.read("runs/0/inputs/0/none", DType::kInt64, {0, 4}).empty());
  EXPECT_EQ(file.read("one", DType::kFloat64, {}).size(), 8U);
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".tmp"));
}

TEST_F(ArrayFileTest, AnotherShapeOrAnAbsentArrayIsCorrupt) {
  write();
  const ArrayFile file(path_, kKind);
  EXPECT_THAT(fault([&] { (void)file.read("one", DType::kFloat64, {2}); }, Errc::kCorruptData),
              HasSubstr("another shape or dtype"));
  EXPECT_THAT(fault([&] { (void)file.read("two", DType::kFloat64, {}); }, Errc::kCorruptData),
              HasSubstr("HDF5 failed"));
}

TEST_F(ArrayFileTest, AFlippedBitIsCorrupt) {
  write();
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  const auto at = content.find(std::string(reinterpret_cast<const char*>(bytes_.data()), 24));
  ASSERT_NE(at, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(at + 5));
  file.put(static_cast<char>(content[at + 5] ^ 4));
  file.close();
  const ArrayFile damaged(path_, kKind);
  EXPECT_THAT(fault([&] { (void)damaged.read("state/layer.weight", DType::kFloat32, {2, 3}); },
                    Errc::kCorruptData),
              HasSubstr("array is not what was written: array=state/layer.weight"));
}

TEST_F(ArrayFileTest, OtherFilesAreRefusedInOneLine) {
  EXPECT_THAT(fault([&] { const ArrayFile file(path_, kKind); }, Errc::kNotFound),
              HasSubstr("arrays.h5"));
  write();
  EXPECT_THAT(fault([&] { const ArrayFile file(path_, {"recording", 4}); }, Errc::kInvalidInput),
              HasSubstr("another format: expected=4, found=3"));
  EXPECT_THAT(fault([&] { const ArrayFile file(path_, {"weights", 3}); }, Errc::kInvalidInput),
              HasSubstr("something else: expected=weights, found=recording"));
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  (void)fault([&] { const ArrayFile file(path_, kKind); }, Errc::kCorruptData);
  std::ofstream(path_) << "no HDF5";
  (void)fault([&] { const ArrayFile file(path_, kKind); }, Errc::kCorruptData);
}

TEST_F(ArrayFileTest, AFailedWriteLeavesWhatWasThere) {
  write();
  const auto before = std::filesystem::file_size(path_);
  const std::vector<ArrayToWrite> twice{{"same", DType::kUInt8, {1}, std::span(bytes_).first(1)},
                                        {"same", DType::kUInt8, {1}, std::span(bytes_).first(1)}};
  EXPECT_THROW(write_array_file(path_, kKind, "", twice), Error);
  EXPECT_EQ(std::filesystem::file_size(path_), before);
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".tmp"));
}

}  // namespace
}  // namespace askos::io
