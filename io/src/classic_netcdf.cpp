// SPDX-License-Identifier: Apache-2.0
//
// Walks the header of a NetCDF-3 file (CDF-1, CDF-2 and CDF-5) as its specification lays it out:
// "NetCDF Classic Format Specification", appendix of the NetCDF Users' Guide. Numbers are
// big-endian; names and values of attributes are padded to four bytes.
#include "classic_netcdf.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <vector>

namespace askos::io {
namespace {

// All arithmetic is unsigned: a damaged header may make it wrap around, but no more.
using Count = std::uint64_t;

constexpr std::array<Count, 12> kTypeBytes{0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};  // NC_BYTE is 1

Count padded(Count bytes) {
  return (bytes + 3) / 4 * 4;
}

/// Reads until the file ends; from then on `ended` holds and all numbers are 0.
class Header {
 public:
  Header(std::istream& stream, int version)
      : stream_(stream), count_bytes_(version == 5 ? 8 : 4), offset_bytes_(version == 1 ? 4 : 8) {}

  /// Returns the offset behind the last value.
  Count end_of_values() {
    const Count num_records = count();
    const bool streaming = num_records == (count_bytes_ == 4 ? 0xffffffffU : ~Count{0});
    tag();
    for (Count left = count(); left > 0 && !ended(); --left) {
      skip_name();
      lengths_.push_back(count());
    }
    skip_attributes();
    tag();
    for (Count left = count(); left > 0 && !ended(); --left) {
      add_variable();
    }
    if (!streaming && num_records > 0) {
      for (const auto& [begin, bytes] : records_) {
        end_ = std::max(end_, begin + (num_records - 1) * record_bytes() + bytes);
      }
    }
    return end_;
  }

  [[nodiscard]] bool ended() const { return !stream_; }

 private:
  struct Record {
    Count begin;
    Count bytes;
  };

  Count number(int bytes) {
    Count value = 0;
    for (int i = 0; i < bytes; ++i) {
      value = value << 8 | static_cast<Count>(stream_.get() & 0xff);
    }
    return ended() ? 0 : value;
  }
  Count count() { return number(count_bytes_); }
  Count tag() { return number(4); }
  void skip(Count bytes) {
    stream_.ignore(static_cast<std::streamsize>(std::min(bytes, Count{1} << 62)));
  }
  void skip_name() { skip(padded(count())); }
  Count type_bytes() {
    const Count type = tag();
    return type < kTypeBytes.size() ? kTypeBytes[type] : 0;
  }

  void skip_attributes() {
    tag();
    for (Count left = count(); left > 0 && !ended(); --left) {
      skip_name();
      const Count value_bytes = type_bytes();
      skip(padded(count() * value_bytes));
    }
  }

  void add_variable() {
    skip_name();
    Count num_values = 1;
    bool is_record = false;
    for (Count left = count(); left > 0 && !ended(); --left) {
      const Count dimension = count();
      const Count length = dimension < lengths_.size() ? lengths_[dimension] : 0;
      is_record |= length == 0;  // the unlimited dimension
      num_values *= std::max(length, Count{1});
    }
    skip_attributes();
    const Count bytes = num_values * type_bytes();
    count();  // its size once more, but cut off at 4 GiB
    const Count begin = number(offset_bytes_);
    if (is_record) {
      records_.push_back({begin, bytes});
    } else {
      end_ = std::max(end_, begin + bytes);
    }
  }

  /// Bytes from one record to the next; the specification does not pad a record variable alone.
  [[nodiscard]] Count record_bytes() const {
    if (records_.size() == 1) {
      return records_.front().bytes;
    }
    Count sum = 0;
    for (const Record& record : records_) {
      sum += padded(record.bytes);
    }
    return sum;
  }

  std::istream& stream_;
  int count_bytes_;
  int offset_bytes_;
  std::vector<Count> lengths_;
  std::vector<Record> records_;
  Count end_ = 0;
};

}  // namespace

void refuse_truncated_classic(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::array<char, 4> magic{};
  stream.read(magic.data(), magic.size());
  const int version = static_cast<unsigned char>(magic[3]);
  if (!stream || std::string_view(magic.data(), 3) != "CDF" ||
      (version != 1 && version != 2 && version != 5)) {
    return;
  }
  Header header(stream, version);
  const Count expected = header.end_of_values();
  const Count found = std::filesystem::file_size(path);
  if (header.ended() || found < expected) {
    Error error(Errc::kCorruptData, "file is truncated");
    error.with("file", path.string());
    if (!header.ended()) {
      error.with("expected_bytes", expected);
    }
    throw error.with("found_bytes", found);
  }
}

}  // namespace askos::io
