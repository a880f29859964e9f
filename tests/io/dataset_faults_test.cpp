// SPDX-License-Identifier: Apache-2.0
//
// Every way in which a dataset can be wrong, and what is made of it.
#include "io/datasets.hpp"
#include "io/hdf5_edit.hpp"

#include <askos/io/hooked_file_operations.hpp>
#include <askos/io/shard_reader.hpp>
#include <askos/io/verify.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <fstream>

// HDF5 1.10 forgets some of its own memory when it meets damaged metadata or cannot write.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:libhdf5";
}

namespace askos::io {
namespace {

namespace fs = std::filesystem;

class DatasetFaults : public ::testing::Test {
 protected:
  DatasetFaults() {
    info_ = describe({.rows = 4, .variables = 2, .ensembles = 1, .cells = 40, .chunk_cells = 10});
    info_.title = "faults";
    write_dataset(path_, info_);
  }

  [[nodiscard]] Error open_error() const {
    return error_of([&] { static_cast<void>(DatasetIndex::open(path_)); });
  }

  void flip(std::int64_t offset, int bit = 3) const {
    const File file(system_file_operations(), path_, OpenMode::kReadWrite);
    std::byte byte{};
    file.read(offset, std::span(&byte, 1));
    byte ^= static_cast<std::byte>(1 << bit);
    file.write(offset, std::span(&byte, 1));
  }

  void expect_refused(Errc code, const std::string& text) const {
    const Error error = open_error();
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(error.text(), text) << error.what();
    EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
    const VerifyReport report = verify_dataset(path_);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.faults.front().text(), text);
  }

  std::vector<float> read(ShardReader& reader, std::int64_t row) const {
    std::vector<float> values(static_cast<std::size_t>(reader.row_bytes(DType::kFloat32)) / 4);
    reader.read(row, {std::as_writable_bytes(std::span(values))});
    return values;
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "x.h5";
  DatasetInfo info_;
  const comm::Range all_{0, 40};
};

TEST_F(DatasetFaults, MissingFile) {
  fs::remove(path_);
  expect_refused(Errc::kNotFound, "no such file");
}

TEST_F(DatasetFaults, EmptyFile) {
  fs::resize_file(path_, 0);
  expect_refused(Errc::kCorruptData, "file is empty");
}

TEST_F(DatasetFaults, NotAnHdf5File) {
  std::ofstream(path_) << "hello, not HDF5";
  expect_refused(Errc::kCorruptData, "not an HDF5 file");
}

TEST_F(DatasetFaults, TruncatedFile) {
  const auto size = fs::file_size(path_);
  for (const auto cut : {size - 1, size / 2}) {
    fs::resize_file(path_, cut);
    expect_refused(Errc::kCorruptData, "file is truncated");
    EXPECT_NE(std::string(open_error().what()).find("eof = " + std::to_string(cut)),
              std::string::npos)
        << open_error().what();
  }
}

TEST_F(DatasetFaults, Hdf5FileOfAnotherKind) {
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "measurements", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Fclose(file);
  expect_refused(Errc::kInvalidInput, "HDF5 file is no askos dataset; import it first");
  EXPECT_NE(std::string(open_error().what()).find("found=measurements"), std::string::npos);
}

TEST_F(DatasetFaults, IncompleteDataset) {
  Hdf5Edit(path_).set_attribute("askos_complete", 0);
  expect_refused(Errc::kCorruptData, "dataset is incomplete; its writer did not finish");
}

TEST_F(DatasetFaults, NewerFormat) {
  Hdf5Edit(path_).set_attribute("askos_format", 2);
  expect_refused(Errc::kInvalidInput, "dataset has a version that this askos does not know");
}

TEST_F(DatasetFaults, FieldsMissing) {
  Hdf5Edit(path_).remove("fields");
  expect_refused(Errc::kNotFound, "dataset lacks an array");
}

TEST_F(DatasetFaults, WrongDtype) {
  Hdf5Edit(path_).make_fields(
      {.type = H5T_IEEE_F64LE, .lengths = {4, 2, 1, 40}, .chunk = {1, 2, 1, 10}});
  expect_refused(Errc::kTypeMismatch, "fields have another dtype than expected");
  Hdf5Edit(path_).make_fields(
      {.type = H5T_IEEE_F32BE, .lengths = {4, 2, 1, 40}, .chunk = {1, 2, 1, 10}});
  expect_refused(Errc::kTypeMismatch, "fields have another dtype than expected");
}

TEST_F(DatasetFaults, WrongShape) {
  Hdf5Edit(path_).make_fields({.lengths = {4, 3, 1, 40}, .chunk = {1, 3, 1, 10}});
  expect_refused(Errc::kShapeMismatch, "fields have another shape than their axes");
  EXPECT_NE(std::string(open_error().what()).find("expected='(4, 2, 1, 40)'"), std::string::npos);
  Hdf5Edit(path_).make_fields({.lengths = {4, 2, 1, 40}, .chunk = {1, 1, 1, 40}});
  expect_refused(Errc::kShapeMismatch, "chunks of the fields do not hold whole time steps");
}

TEST_F(DatasetFaults, CompressedFields) {
  Hdf5Edit(path_).make_fields({.lengths = {4, 2, 1, 40}, .chunk = {1, 2, 1, 10}, .deflate = true});
  expect_refused(Errc::kInvalidInput, "fields are compressed; askos reads them uncompressed only");
}

TEST_F(DatasetFaults, HeldByAWriter) {
  const int descriptor = ::open(path_.c_str(), O_RDWR);
  ASSERT_EQ(::flock(descriptor, LOCK_EX), 0);
  expect_refused(Errc::kEnvironment, "file is held by a writer; try again when it has finished");
  ::close(descriptor);
  EXPECT_NO_THROW(static_cast<void>(DatasetIndex::open(path_)));
}

TEST_F(DatasetFaults, NotClosedByItsWriter) {
  {
    Hdf5Edit edit(path_);
    edit.set_attribute("askos_complete", 1);
    edit.flush();
    fs::copy_file(path_, folder_ / "killed.h5");  // what a killed writer leaves
  }
  fs::rename(folder_ / "killed.h5", path_);
  expect_refused(Errc::kCorruptData, "file was not closed by its writer; import it again");
}

TEST_F(DatasetFaults, SeveralFaultsAreAllReported) {
  {
    Hdf5Edit edit(path_);
    edit.remove("latitude");
    edit.remove("maximum");
    edit.remove("time");
  }
  EXPECT_EQ(verify_dataset(path_).faults.size(), 3u);
  EXPECT_NE(std::string(open_error().what()).find("further_faults=2"), std::string::npos);
}

TEST_F(DatasetFaults, FlippedBitsInTheFieldsAreFoundByReaderAndVerify) {
  const auto index = DatasetIndex::open(path_);
  flip(index->chunk_offset(1, 2) + 33);
  flip(index->chunk_offset(3, 0));
  const VerifyReport report = verify_dataset(path_);
  ASSERT_EQ(report.faults.size(), 2u);
  for (const Error& fault : report.faults) {
    EXPECT_EQ(fault.code(), Errc::kCorruptData);
    EXPECT_EQ(fault.text(), "chunk does not match its CRC");
  }
  EXPECT_NE(std::string(report.faults[0].what()).find("row=1, time=1996-01-05T06:00:00, chunk=2"),
            std::string::npos)
      << report.faults[0].what();
  ShardReader reader(DatasetIndex::open(path_), all_);
  EXPECT_EQ(read(reader, 0), row_values(info_, 0, all_));
  EXPECT_EQ(error_of([&] { read(reader, 1); }).code(), Errc::kCorruptData);
  EXPECT_EQ(error_of([&] { read(reader, 3); }).text(), "chunk does not match its CRC");
  ShardReader other_half(DatasetIndex::open(path_), {30, 40});  // does not touch the bad chunks
  EXPECT_EQ(read(other_half, 1), row_values(info_, 1, {30, 40}));
}

TEST_F(DatasetFaults, ZerosInPlaceOfDataAreFound) {
  const auto index = DatasetIndex::open(path_);
  {
    const File file(system_file_operations(), path_, OpenMode::kReadWrite);
    const std::vector<std::byte> zeros(static_cast<std::size_t>(index->layout().chunk_bytes()));
    file.write(index->chunk_offset(2, 1), zeros);
  }
  ShardReader reader(DatasetIndex::open(path_), all_);
  EXPECT_EQ(error_of([&] { read(reader, 2); }).code(), Errc::kCorruptData);
}

// A flip outside the fields is refused, or hits a byte that means nothing: it is never believed.
TEST_F(DatasetFaults, FlippedBitsInTheMetadataAreNeverBelieved) {
  const auto index = DatasetIndex::open(path_);
  const auto describe_index = [](const DatasetIndex& found) {
    Metadata text;
    const DatasetInfo& info = found.info();
    text["title"] = info.title + info.source + info.licence + info.uuid + info.cell_order;
    text["metadata"] = info.metadata;
    text["rows"] = info.num_rows;
    text["statistics"] = Metadata::Array{info.statistics_rows.begin, info.statistics_rows.end};
    text["time"] = format_time(info.first_time) + format_step(info.step);
    for (const VariableInfo& variable : info.variables) {
      text[variable.name] = Metadata::Array{variable.unit, variable.statistics.mean,
                                            variable.statistics.stdev, variable.tendency.mean};
    }
    for (std::int64_t cell = 0; cell < info.num_cells(); ++cell) {
      text["cell" + std::to_string(cell)] =
          Metadata::Array{info.latitudes[static_cast<std::size_t>(cell)],
                          info.longitudes[static_cast<std::size_t>(cell)]};
    }
    for (std::int64_t row = 0; row < info.num_rows; ++row) {
      for (std::int64_t chunk = 0; chunk < found.layout().chunks_per_row(); ++chunk) {
        text["chunk" + std::to_string(row) + "," + std::to_string(chunk)] =
            Metadata::Array{std::int64_t{found.chunk_crc(row, chunk)},
                            found.chunk_offset(row, chunk), found.row_present(row)};
      }
    }
    return to_json(text, true);
  };
  const std::string expected = describe_index(*index);
  const std::int64_t begin = index->chunk_offset(0, 0);
  const std::int64_t end = begin + 16 * index->layout().chunk_bytes();
  const auto size = static_cast<std::int64_t>(fs::file_size(path_));
  int refused = 0;
  int harmless = 0;
  for (std::int64_t offset = 0; offset < size; offset += 5) {
    if (offset >= begin && offset < end) {
      continue;
    }
    const int bit = static_cast<int>(offset % 8);
    flip(offset, bit);
    try {
      EXPECT_EQ(describe_index(*DatasetIndex::open(path_)), expected) << "offset " << offset;
      ++harmless;
    } catch (const Error&) {
      ++refused;
    }
    flip(offset, bit);
  }
  EXPECT_GT(refused, 500);
  RecordProperty("refused", refused);
  RecordProperty("harmless", harmless);
  EXPECT_TRUE(verify_dataset(path_).ok());
}

TEST_F(DatasetFaults, NeverWrittenChunkMakesItsRowMissing) {
  const auto index = DatasetIndex::open(path_);
  std::vector<std::vector<std::byte>> chunks;
  {
    const File file(system_file_operations(), path_, OpenMode::kRead);
    for (std::int64_t i = 0; i < 16; ++i) {
      auto& bytes = chunks.emplace_back(static_cast<std::size_t>(index->layout().chunk_bytes()));
      file.read(index->chunk_offset(i / 4, i % 4), std::span(bytes));
    }
  }
  {
    Hdf5Edit edit(path_);
    edit.make_fields({.lengths = {4, 2, 1, 40}, .chunk = {1, 2, 1, 10}});
    for (hsize_t i = 16; i-- > 0;) {  // backwards: addresses follow no rule
      if (i != 9) {                   // row 2, chunk 1
        edit.write_chunk({i / 4, 0, 0, i % 4 * 10}, chunks[i]);
      }
    }
  }
  const auto rewritten = DatasetIndex::open(path_);
  EXPECT_FALSE(rewritten->has_implicit_offsets());
  EXPECT_EQ(rewritten->rows_present(), (std::vector<std::uint8_t>{1, 1, 0, 1}));
  for (const bool check_crc : {true, false}) {
    for (const comm::Range cells : {all_, comm::Range{7, 33}}) {
      ShardReader reader(rewritten, cells, {.check_crc = check_crc, .retry = {}});
      for (const std::int64_t row : {0, 1, 3}) {
        reader.prefetch(row);
        EXPECT_EQ(read(reader, row), row_values(info_, row, cells));
      }
      EXPECT_EQ(error_of([&] { read(reader, 2); }).code(), Errc::kNotFound);
    }
  }
  const VerifyReport report = verify_dataset(path_);
  ASSERT_EQ(report.faults.size(), 1u);
  EXPECT_EQ(report.faults[0].text(), "chunk was never written");
}

TEST_F(DatasetFaults, TruncatedWhileOpen) {
  const auto index = DatasetIndex::open(path_);
  ShardReader reader(index, all_);
  ShardReader direct(index, all_, {.check_crc = false, .retry = {}});
  fs::resize_file(path_, static_cast<std::uintmax_t>(index->chunk_offset(2, 1)) + 5);
  EXPECT_EQ(read(reader, 0), row_values(info_, 0, all_));
  for (ShardReader* each : {&reader, &direct}) {
    const Error error = error_of([&] { read(*each, 2); });
    EXPECT_EQ(error.code(), Errc::kCorruptData);
    EXPECT_EQ(error.text(), "file is shorter than its index says; was it truncated?");
  }
  EXPECT_EQ(error_of([&] { reader.check_unchanged(); }).code(), Errc::kCorruptData);
}

TEST_F(DatasetFaults, ReplacedWhileOpen) {
  const auto index = DatasetIndex::open(path_);
  ShardReader reader(index, all_);
  write_dataset(folder_ / "other.h5", describe({.rows = 4, .variables = 2, .cells = 40}), {1});
  fs::rename(folder_ / "other.h5", path_);
  EXPECT_EQ(read(reader, 1), row_values(info_, 1, all_));  // still the file that was opened
  EXPECT_EQ(error_of([&] { reader.check_unchanged(); }).code(), Errc::kCorruptData);
  EXPECT_EQ(error_of([&] { ShardReader(index, all_); }).code(), Errc::kCorruptData);
}

TEST_F(DatasetFaults, NaNWhereItIsNotAllowed) {
  const auto index = DatasetIndex::open(path_);
  {
    const File file(system_file_operations(), path_, OpenMode::kReadWrite);
    const float nan = std::nanf("");
    file.write(index->chunk_offset(1, 0) + 12, std::as_bytes(std::span(&nan, 1)));
  }
  ShardReader reader(DatasetIndex::open(path_), all_, {.check_crc = false, .retry = {}});
  std::vector<std::byte> target(static_cast<std::size_t>(reader.row_bytes(DType::kFloat64)));
  const Error error = error_of([&] { reader.read(1, {target, DType::kFloat64}); });
  EXPECT_EQ(error.code(), Errc::kInvalidInput);
  EXPECT_NE(std::string(error.what()).find("variable=v0, time=1996-01-05T06:00:00"),
            std::string::npos)
      << error.what();
}

/// Moves on by itself, so that a wait takes no time.
class ImpatientClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override { return now_; }
  void sleep_until(Nanoseconds when) override {
    waits.push_back(when - now_);
    now_ = when;
  }
  std::vector<Nanoseconds> waits;

 private:
  Nanoseconds now_{0};
};

TEST_F(DatasetFaults, TransientReadErrorsAreTriedAgain) {
  for (const int error : {EIO, EAGAIN, ESTALE, EINTR}) {
    for (const bool check_crc : {true, false}) {
      int failures = 3;
      HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
        return call.name.starts_with("pread") && failures-- > 0 ? -error : 0;
      });
      ImpatientClock clock;
      ShardReader reader(DatasetIndex::open(path_), all_, {.check_crc = check_crc, .retry = {}},
                         operations, clock);
      EXPECT_EQ(read(reader, 2), row_values(info_, 2, all_));
      using std::chrono::milliseconds;
      const std::vector<Nanoseconds> doubled{milliseconds(10), milliseconds(20), milliseconds(40)};
      EXPECT_EQ(clock.waits, error == EINTR ? std::vector<Nanoseconds>{} : doubled);
    }
  }
}

TEST_F(DatasetFaults, LastingReadErrorsEndAfterABoundedNumberOfTries) {
  int reads = 0;
  HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
    return call.name.starts_with("pread") ? ++reads, -EIO : 0;
  });
  ImpatientClock clock;
  ShardReader reader(DatasetIndex::open(path_), all_, {}, operations, clock);
  const Error error = error_of([&] { read(reader, 2); });
  EXPECT_EQ(error.code(), Errc::kEnvironment);
  EXPECT_EQ(error.text(), "cannot read from file");
  EXPECT_EQ(reads, 4);
}

TEST_F(DatasetFaults, AFullDiskLeavesNothingBehind) {
  for (const char* failing : {"create", "allocate", "pwrite", "sync", "rename"}) {
    for (int passing = 0; passing < 3; ++passing) {
      int left = passing;
      bool failed = false;
      HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
        if (call.name != failing || left-- > 0) {
          return 0;
        }
        failed = true;
        return -ENOSPC;
      });
      try {
        write_dataset(folder_ / "new.h5", info_, {1}, operations);
        EXPECT_FALSE(failed);
        fs::remove(folder_ / "new.h5");
      } catch (const Error& error) {
        EXPECT_TRUE(failed);
        EXPECT_EQ(error.code(), Errc::kEnvironment);
        EXPECT_EQ(error.text(), "disk full") << error.what();
      }
      EXPECT_FALSE(fs::exists(folder_ / "new.h5")) << failing;
      EXPECT_FALSE(fs::exists(folder_ / "new.h5.tmp")) << failing;
    }
  }
  EXPECT_TRUE(verify_dataset(path_).ok());
}

TEST_F(DatasetFaults, ARealFullDiskLeavesNothingBehind) {
  const fs::path small = folder_ / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "mounting a small file system needs more rights";
  }
  const DatasetInfo large = describe({.rows = 100, .variables = 4, .cells = 1000});
  const Error error = error_of([&] { write_dataset(small / "x.h5", large); });
  EXPECT_EQ(error.code(), Errc::kEnvironment);
  EXPECT_EQ(error.text(), "disk full") << error.what();
  EXPECT_TRUE(fs::is_empty(small));
  ::umount2(small.c_str(), MNT_DETACH);
}

TEST_F(DatasetFaults, ADiskThatFillsUpWhileHdf5WritesLeavesNothingBehind) {
  const fs::path small = folder_ / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "mounting a small file system needs more rights";
  }
  // Another program takes the space between our reservation and HDF5's own writes.
  for (const std::int64_t left : {0, 4, 8, 12, 16}) {
    const HookedFileOperations::Hook steal = [&](const HookedFileOperations::Call& call) {
      if (call.name != "allocate") {
        return 0;
      }
      const File thief(system_file_operations(), small / "thief", OpenMode::kCreate);
      thief.allocate((512 - left) << 10);
      return 1;
    };
    HookedFileOperations operations(steal);
    const Error error = error_of([&] { write_dataset(small / "x.h5", info_, {}, operations); });
    EXPECT_EQ(error.code(), Errc::kEnvironment) << error.what();
    EXPECT_EQ(error.text(), "disk full") << error.what();
    fs::remove(small / "thief");
    EXPECT_TRUE(fs::is_empty(small));
  }
  ::umount2(small.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace askos::io
