// SPDX-License-Identifier: Apache-2.0
#include "hdf5_handles.hpp"

namespace askos::io {
namespace {

std::mutex& session_mutex() {
  static std::mutex mutex;
  return mutex;
}

herr_t keep_description(unsigned /*depth*/, const H5E_error2_t* entry, void* text) {
  if (entry->desc != nullptr && *entry->desc != '\0') {
    *static_cast<std::string*>(text) = entry->desc;
  }
  return 0;
}

}  // namespace

Hdf5Session::Hdf5Session() : lock_(session_mutex()) {
  static const bool once = [] {
    H5dont_atexit();  // all files are closed by their owners; HDF5's own exit handler can hang
    return true;
  }();
  static_cast<void>(once);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // per thread
  H5Eclear2(H5E_DEFAULT);
}

std::string take_hdf5_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, &keep_description, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "no reason given" : text;
}

void throw_hdf5_error(const char* doing, Errc code) {
  const std::string reason = take_hdf5_error();
  const bool full = reason.find("No space left") != std::string::npos ||
                    reason.find("File too large") != std::string::npos;
  throw Error(full ? Errc::kEnvironment : code, full ? "disk full" : "HDF5 failed")
      .with("while", doing)
      .with("reason", reason);
}

void Hdf5Handle::reset() noexcept {
  if (id_ < 0) {
    return;
  }
  switch (H5Iget_type(id_)) {
    case H5I_FILE: H5Fclose(id_); break;
    case H5I_GROUP: H5Gclose(id_); break;
    case H5I_DATATYPE: H5Tclose(id_); break;
    case H5I_DATASPACE: H5Sclose(id_); break;
    case H5I_DATASET: H5Dclose(id_); break;
    case H5I_ATTR: H5Aclose(id_); break;
    default: H5Pclose(id_); break;
  }
  id_ = H5I_INVALID_HID;
}

void close_hdf5_file(Hdf5Handle& file) {
  check_hdf5(H5Fclose(file.release()), "closing the file", Errc::kEnvironment);
}

}  // namespace askos::io
