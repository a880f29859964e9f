// SPDX-License-Identifier: Apache-2.0
#include "netcdf_file.hpp"

#include "classic_netcdf.hpp"
#include "hdf5_handles.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>

#include <netcdf.h>

#include <array>
#include <cerrno>
#include <functional>
#include <numeric>
#include <utility>

namespace askos::io {

NetcdfFile::NetcdfFile(std::filesystem::path path) : path_(std::move(path)) {
  refuse_truncated_classic(path_);
  const Hdf5Session session;
  const int status = nc_open(path_.c_str(), NC_NOWRITE, &id_);
  if (status == ENOENT) {
    throw Error(Errc::kNotFound, "no such file").with("file", path_.string());
  }
  if (status != NC_NOERR) {
    throw Error(status > 0 ? Errc::kEnvironment : Errc::kCorruptData,
                "file cannot be opened as NetCDF")
        .with("file", path_.string())
        .with("reason", nc_strerror(status));
  }
}

NetcdfFile::~NetcdfFile() {
  if (id_ >= 0) {
    const Hdf5Session session;
    nc_close(id_);
  }
}

NetcdfFile::NetcdfFile(NetcdfFile&& other) noexcept
    : path_(std::move(other.path_)), id_(std::exchange(other.id_, -1)) {}

void NetcdfFile::check(int status, const std::string& doing) const {
  if (status != NC_NOERR) {
    throw Error(Errc::kCorruptData, "NetCDF file cannot be read")
        .with("file", path_.string())
        .with("while", doing)
        .with("reason", nc_strerror(status));
  }
}

int NetcdfFile::group_of(const std::string& name) const {
  const auto slash = name.rfind('/');
  int group = id_;
  if (slash != std::string::npos && slash > 0) {
    const std::string full = std::string(name.front() == '/' ? "" : "/").append(name, 0, slash);
    if (nc_inq_grp_full_ncid(id_, full.c_str(), &group) != NC_NOERR) {
      throw Error(Errc::kNotFound, "NetCDF file has no such group")
          .with("file", path_.string())
          .with("group", full);
    }
  }
  return group;
}

NetcdfVariable NetcdfFile::variable(const std::string& name) const {
  const Hdf5Session session;
  NetcdfVariable found{name, {}, group_of(name), -1};
  const std::string last = name.substr(name.rfind('/') + 1);
  std::array<char, NC_MAX_NAME + 1> text{};
  if (nc_inq_varid(found.group, last.c_str(), &found.id) != NC_NOERR) {
    int count = 0;
    check(nc_inq_nvars(found.group, &count), "listing variables");
    std::vector<std::string> names;
    for (int id = 0; id < count; ++id) {
      check(nc_inq_varname(found.group, id, text.data()), "listing variables");
      names.emplace_back(text.data());
    }
    Error error(Errc::kNotFound, "NetCDF file has no such variable");
    error.with("file", path_.string()).with("variable", name);
    suggest(error, last, names);
    throw error;
  }
  nc_type type = NC_NAT;
  int rank = 0;
  check(nc_inq_vartype(found.group, found.id, &type), "inspecting " + name);
  check(nc_inq_varndims(found.group, found.id, &rank), "inspecting " + name);
  if (type == NC_CHAR || type >= NC_STRING) {
    throw Error(Errc::kTypeMismatch, "NetCDF variable does not hold numbers")
        .with("file", path_.string())
        .with("variable", name);
  }
  std::vector<int> dimensions(static_cast<std::size_t>(rank));
  check(nc_inq_vardimid(found.group, found.id, dimensions.data()), "inspecting " + name);
  for (const int id : dimensions) {
    std::size_t length = 0;
    check(nc_inq_dim(found.group, id, text.data(), &length), "inspecting " + name);
    found.dimensions.push_back({text.data(), static_cast<std::int64_t>(length)});
  }
  return found;
}

std::optional<std::string> NetcdfFile::text_attribute(const NetcdfVariable& variable,
                                                      const char* name) const {
  const Hdf5Session session;
  nc_type type = NC_NAT;
  std::size_t length = 0;
  if (nc_inq_att(variable.group, variable.id, name, &type, &length) != NC_NOERR || length == 0) {
    return std::nullopt;
  }
  if (type == NC_STRING) {
    std::vector<char*> texts(length, nullptr);
    check(nc_get_att_string(variable.group, variable.id, name, texts.data()), name);
    std::string result = texts[0] == nullptr ? "" : texts[0];
    check(nc_free_string(length, texts.data()), name);
    return result;
  }
  if (type != NC_CHAR) {
    return std::nullopt;
  }
  std::string text(length, '\0');
  check(nc_get_att_text(variable.group, variable.id, name, text.data()), name);
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

std::optional<double> NetcdfFile::number_attribute(const NetcdfVariable& variable,
                                                   const char* name) const {
  const Hdf5Session session;
  nc_type type = NC_NAT;
  std::size_t length = 0;
  if (nc_inq_att(variable.group, variable.id, name, &type, &length) != NC_NOERR || length == 0 ||
      type == NC_CHAR || type >= NC_STRING) {
    return std::nullopt;
  }
  std::vector<double> values(length);
  check(nc_get_att_double(variable.group, variable.id, name, values.data()), name);
  return values.front();
}

std::optional<double> NetcdfFile::default_fill(const NetcdfVariable& variable) const {
  const Hdf5Session session;
  nc_type type = NC_NAT;
  check(nc_inq_vartype(variable.group, variable.id, &type), "inspecting " + variable.name);
  switch (type) {
    case NC_SHORT: return NC_FILL_SHORT;
    case NC_INT: return NC_FILL_INT;
    case NC_FLOAT: return double{NC_FILL_FLOAT};
    case NC_DOUBLE: return NC_FILL_DOUBLE;
    default: return std::nullopt;
  }
}

void NetcdfFile::read(const NetcdfVariable& variable,
                      const std::vector<std::size_t>& start,
                      const std::vector<std::size_t>& count,
                      std::vector<double>& values) const {
  const Hdf5Session session;
  values.resize(std::accumulate(count.begin(), count.end(), std::size_t{1}, std::multiplies<>()));
  check(nc_get_vara_double(variable.group, variable.id, start.data(), count.data(), values.data()),
        "reading " + variable.name);
}

std::vector<double> NetcdfFile::read_all(const NetcdfVariable& variable) const {
  std::vector<std::size_t> count;
  for (const NetcdfDimension& dimension : variable.dimensions) {
    count.push_back(static_cast<std::size_t>(dimension.length));
  }
  std::vector<double> values;
  read(variable, std::vector<std::size_t>(count.size(), 0), count, values);
  const double scale = number_attribute(variable, "scale_factor").value_or(1);
  const double offset = number_attribute(variable, "add_offset").value_or(0);
  for (double& value : values) {
    value = value * scale + offset;
  }
  return values;
}

}  // namespace askos::io
