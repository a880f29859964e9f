// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace askos::io {

/// A dimension of a variable.
struct NetcdfDimension {
  std::string name;
  std::int64_t length = 0;
  bool operator==(const NetcdfDimension&) const = default;
};

/// A variable found in a file.
struct NetcdfVariable {
  std::string name;
  std::vector<NetcdfDimension> dimensions;
  int group = 0;  // netCDF's numbers
  int id = 0;
};

/// Owns an open NetCDF file. Each call enters an `Hdf5Session`, since netCDF shares HDF5's state.
/// All errors name the file.
class NetcdfFile {
 public:
  explicit NetcdfFile(std::filesystem::path path);
  ~NetcdfFile();
  NetcdfFile(NetcdfFile&& other) noexcept;
  NetcdfFile& operator=(NetcdfFile&&) = delete;

  /// Finds `name` or `group/name`. Throws `Errc::kNotFound` with the nearest name there is, or
  /// `kTypeMismatch` unless it holds numbers.
  [[nodiscard]] NetcdfVariable variable(const std::string& name) const;

  [[nodiscard]] std::optional<std::string> text_attribute(const NetcdfVariable& variable,
                                                          const char* name) const;
  /// Returns the first entry of a numeric attribute.
  [[nodiscard]] std::optional<double> number_attribute(const NetcdfVariable& variable,
                                                       const char* name) const;

  /// Returns the value that stands for "never written" in a variable without `_FillValue`; nothing
  /// for bytes, whose every value counts.
  [[nodiscard]] std::optional<double> default_fill(const NetcdfVariable& variable) const;

  /// Reads a block of values, converted to double but not unpacked, in the variable's own order.
  void read(const NetcdfVariable& variable,
            const std::vector<std::size_t>& start,
            const std::vector<std::size_t>& count,
            std::vector<double>& values) const;

  /// Reads all values of a variable, unpacked.
  [[nodiscard]] std::vector<double> read_all(const NetcdfVariable& variable) const;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  [[nodiscard]] int group_of(const std::string& name) const;
  void check(int status, const std::string& doing) const;

  std::filesystem::path path_;
  int id_ = -1;
};

}  // namespace askos::io
