// SPDX-License-Identifier: Apache-2.0
//
// Writes small NetCDF files of either kind for the tests of the import.
#pragma once

#include <netcdf.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace askos::io {

class NetcdfSample {
 public:
  NetcdfSample(const std::filesystem::path& path, bool netcdf4)
      : NetcdfSample(path, netcdf4 ? NC_NETCDF4 : 0) {}
  /// `kind` as `nc_create` takes it, for instance `NC_64BIT_OFFSET`.
  NetcdfSample(const std::filesystem::path& path, int kind) {
    check(nc_create(path.c_str(), NC_CLOBBER | kind, &file_));
  }
  ~NetcdfSample() { nc_close(file_); }
  NetcdfSample(const NetcdfSample&) = delete;
  NetcdfSample& operator=(const NetcdfSample&) = delete;

  int dimension(const char* name, std::size_t length) {
    int id = 0;
    check(nc_def_dim(file_, name, length, &id));
    return id;
  }
  int variable(const char* name, nc_type type, const std::vector<int>& dimensions) {
    int id = 0;
    check(
        nc_def_var(file_, name, type, static_cast<int>(dimensions.size()), dimensions.data(), &id));
    return id;
  }
  void text(int variable, const char* name, const std::string& value) {
    check(nc_put_att_text(file_, variable, name, value.size(), value.c_str()));
  }
  void number(int variable, const char* name, nc_type type, double value) {
    check(nc_put_att_double(file_, variable, name, type, 1, &value));
  }
  void values_follow() { check(nc_enddef(file_)); }
  void put(int variable, const std::vector<double>& values) {
    check(nc_put_var_double(file_, variable, values.data()));
  }
  /// Along an unlimited dimension: writes the first rows, as many as `count` says.
  void put_rows(int variable,
                const std::vector<std::size_t>& count,
                const std::vector<double>& values) {
    const std::vector<std::size_t> start(count.size(), 0);
    check(nc_put_vara_double(file_, variable, start.data(), count.data(), values.data()));
  }

 private:
  static void check(int status) {
    if (status != NC_NOERR) {
      throw std::runtime_error(nc_strerror(status));
    }
  }
  int file_ = -1;
};

}  // namespace askos::io
