// SPDX-License-Identifier: Apache-2.0
//
// Compares the reader with plain `pread` of the same extents, from the page cache, in one process.
// Reads are interleaved one by one, so that a slow moment of the machine hits all of them alike.
#include <askos/base/error.hpp>
#include <askos/io/dataset_writer.hpp>
#include <askos/io/shard_reader.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace askos;  // NOLINT(google-build-using-namespace): a program, not a header
namespace fs = std::filesystem;

constexpr std::int64_t kRows = 200;
constexpr std::int64_t kVariables = 32;
constexpr std::int64_t kCells = 40'320;  // O96
constexpr std::int64_t kReads = 500;     // of each way
constexpr std::size_t kBuffers = 8;      // as a slot pool would hold

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

float value_at(std::int64_t row, std::int64_t variable, std::int64_t cell) {
  return static_cast<float>((row * 31 + variable * 7 + cell * 3) % 65'521) / 64.0F;
}

std::vector<float> values_of(std::int64_t row, comm::Range cells) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(kVariables * cells.size()));
  for (std::int64_t variable = 0; variable < kVariables; ++variable) {
    for (std::int64_t cell = cells.begin; cell < cells.end; ++cell) {
      values.push_back(value_at(row, variable, cell));
    }
  }
  return values;
}

void generate(const fs::path& path) {
  io::DatasetInfo info;
  info.title = "O96-sized values for the reader bench";
  for (std::int64_t i = 0; i < kVariables; ++i) {
    io::VariableInfo variable;
    variable.name = std::string("v").append(std::to_string(i));
    info.variables.push_back(variable);
  }
  info.first_time = io::parse_time("2000-01-01");
  info.step = std::chrono::hours(6);
  info.num_rows = kRows;
  for (std::int64_t cell = 0; cell < kCells; ++cell) {
    info.latitudes.push_back(90 - 180.0 * static_cast<double>(cell) / kCells);
    info.longitudes.push_back(static_cast<double>(cell % 360));
  }
  io::DatasetWriter writer(path, info);
  io::ShardWriter shard(writer.plan(), {0, kCells});
  for (std::int64_t row = 0; row < kRows; ++row) {
    shard.write_row(row, values_of(row, {0, kCells}));
  }
  const io::ShardResult result = shard.finish();
  writer.finish({&result, 1});
}

/// Memory that begins with a page, as that of a slot pool does.
class PageAligned {
 public:
  explicit PageAligned(std::size_t size_bytes)
      : all_(size_bytes + kPage), size_bytes_(size_bytes) {}

  [[nodiscard]] std::span<std::byte> bytes() {
    void* begin = all_.data();
    std::size_t space = all_.size();
    std::align(kPage, size_bytes_, begin, space);
    return {static_cast<std::byte*>(begin), size_bytes_};
  }

 private:
  static constexpr std::size_t kPage = 4096;
  std::vector<std::byte> all_;
  std::size_t size_bytes_;
};

/// One way to get a row, and how long each read took.
struct Way {
  std::string name;
  std::function<void(std::int64_t row, std::span<std::byte> into)> read;
  std::vector<double> seconds = {};
};

struct Shard {
  std::shared_ptr<const io::DatasetIndex> index;
  comm::Range cells;
  std::vector<io::Affine> normaliser;
};

/// Reads the shard's part of a row, which must consist of whole chunks: one extent.
void read_extent(const io::File& file,
                 const Shard& shard,
                 std::int64_t row,
                 std::span<std::byte> into) {
  const std::int64_t first = shard.cells.begin / shard.index->layout().chunk_cells;
  file.read(shard.index->chunk_offset(row, first), into);
}

void check_values(io::ShardReader& reader, const Shard& shard) {
  std::vector<float> values(static_cast<std::size_t>(reader.row_bytes(DType::kFloat32)) / 4);
  for (const std::int64_t row : {std::int64_t{0}, kRows / 2, kRows - 1}) {
    reader.read(row, {std::as_writable_bytes(std::span(values))});
    if (values != values_of(row, shard.cells)) {
      throw Error(Errc::kCheckFailed, "reader delivers other values than were written")
          .with("row", row);
    }
  }
}

double quantile(std::vector<double> values, double part) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

/// Times all ways on one shard; returns the ratio of the plain reader to `pread`.
double compare(const Shard& shard) {
  const io::File file(io::system_file_operations(), shard.index->path(), io::OpenMode::kRead);
  io::ShardReader plain(shard.index, shard.cells, {.check_crc = false, .retry = {}});
  io::ShardReader checked(shard.index, shard.cells);
  io::ShardReader unchecked(shard.index, shard.cells, {.check_crc = false, .retry = {}});
  check_values(plain, shard);
  check_values(checked, shard);

  const std::int64_t shard_bytes = plain.row_bytes(DType::kFloat32);
  std::vector<PageAligned> memory;
  for (std::size_t i = 0; i < kBuffers; ++i) {
    memory.emplace_back(static_cast<std::size_t>(shard_bytes));
  }
  const auto to = [&](std::span<std::byte> into, DType dtype, io::RowLayout layout) {
    return io::RowTarget{into, dtype, layout};
  };
  using enum io::RowLayout;
  std::vector<Way> ways{
      {"pread of the same extents",
       [&](auto row, auto into) { read_extent(file, shard, row, into); }},
      {"reader: plain",
       [&](auto row, auto into) { plain.read(row, to(into, DType::kFloat32, kVariableCell)); }},
      {"reader: CRC",
       [&](auto row, auto into) { checked.read(row, to(into, DType::kFloat32, kVariableCell)); }},
      {"reader: normalise",
       [&](auto row, auto into) {
         unchecked.read(row, to(into, DType::kFloat32, kVariableCell), shard.normaliser);
       }},
      {"reader: CRC, normalise",
       [&](auto row, auto into) {
         checked.read(row, to(into, DType::kFloat32, kVariableCell), shard.normaliser);
       }},
      {"reader: CRC, normalise, bfloat16",
       [&](auto row, auto into) {
         checked.read(row, to(into, DType::kBFloat16, kVariableCell), shard.normaliser);
       }},
      {"reader: CRC, normalise, [cell, var]",
       [&](auto row, auto into) {
         checked.read(row, to(into, DType::kFloat32, kCellVariable), shard.normaliser);
       }},
  };
  for (std::int64_t i = 0; i < kRows + kReads; ++i) {
    for (std::size_t turn = 0; turn < ways.size(); ++turn) {
      // Each way has its own order of rows: none finds what another has just brought into the
      // processor's cache.
      const std::size_t which = (turn + static_cast<std::size_t>(i)) % ways.size();
      const std::int64_t row = (i * 37 + static_cast<std::int64_t>(which) * 29) % kRows;
      const auto start = std::chrono::steady_clock::now();
      ways[which].read(row, memory[static_cast<std::size_t>(i) % kBuffers].bytes());
      if (i >= kRows) {  // the first reads bring every row into the page cache
        ways[which].seconds.push_back(seconds_since(start));
      }
    }
  }

  const io::ReadCounters& counters = checked.counters();
  std::printf(
      "cells %lld to %lld: %.2f MB a row; with CRC %.4f bytes read per useful byte\n",
      static_cast<long long>(shard.cells.begin), static_cast<long long>(shard.cells.end),
      static_cast<double>(shard_bytes) / 1e6,
      1 + static_cast<double>(counters.extra_bytes) / static_cast<double>(counters.useful_bytes));
  const double reference = quantile(ways.front().seconds, 0.5);
  for (const Way& way : ways) {
    const auto rate = [&](double part) {
      return static_cast<double>(shard_bytes) / 1e6 / quantile(way.seconds, part);
    };
    std::printf("  %-36s %7.0f MB/s  (p10 %.0f, p90 %.0f)  %.2f of pread\n", way.name.c_str(),
                rate(0.5), rate(0.9), rate(0.1), reference / quantile(way.seconds, 0.5));
  }
  return reference / quantile(ways[1].seconds, 0.5);
}

int run(const fs::path& folder) {
  const fs::path path = folder / "askos-reader-bench.h5";
  if (!fs::exists(path)) {
    std::printf("writing %s (1 GB)\n", path.c_str());
    generate(path);
  }
  Shard shard{io::DatasetIndex::open(path), {0, kCells}, {}};
  shard.normaliser = io::make_normaliser(shard.index->info());
  const double whole = compare(shard);
  shard.cells = {kCells / 4, kCells / 2};
  const double quarter = compare(shard);
  // A third does not end with a chunk: what its edges cost in bytes.
  shard.cells = comm::balanced_range(kCells, 3, 1);
  io::ShardReader uneven(shard.index, shard.cells);
  check_values(uneven, shard);
  std::printf("a third: %lld useful and %lld extra bytes read with CRC; chunk %lld bytes\n",
              static_cast<long long>(uneven.counters().useful_bytes),
              static_cast<long long>(uneven.counters().extra_bytes),
              static_cast<long long>(shard.index->layout().chunk_bytes()));
  double load = 0;
  if (getloadavg(&load, 1) == 1 && load > 1.2) {
    std::printf("load average %.1f: other programs ran, believe no figure above\n", load);
  }
  const bool good = std::min(whole, quarter) >= 0.9;
  std::printf("plain reader: %.2f (whole row), %.2f (quarter) of pread; required 0.90: %s\n", whole,
              quarter, good ? "met" : "missed");
  return good ? 0 : exit_code(Errc::kCheckFailed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 || (argc == 2 && std::string_view(argv[1]).starts_with("-"))) {
    std::puts(
        "usage: reader_bench [FOLDER]\n\n"
        "Writes a dataset of 1 GB into FOLDER (default /tmp) unless it is there, and compares\n"
        "the reader with plain pread. Exits 7 if the plain reader is below 0.9 of it.");
    return argc == 2 ? 0 : 2;
  }
  try {
    return run(argc == 2 ? argv[1] : "/tmp");
  } catch (...) {
    const Error error = current_error();
    std::fprintf(stderr, "reader_bench: %s\n", error.what());
    return exit_code(error.code());
  }
}
