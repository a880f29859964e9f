// SPDX-License-Identifier: Apache-2.0
//
// HDF5 in one place: its global state is used by one thread at a time (`Hdf5Session`), its handles
// have owners, and its error stack becomes an `Error`.
#pragma once

#include <askos/base/error.hpp>

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

namespace askos::io {

/// Lets one thread of the process into HDF5 or netCDF (which uses it). The thread-safe build's own
/// lock starves waiters, and the high-level library is not under it as a unit. Hold it for metadata
/// only; never take it twice on one thread.
class Hdf5Session {
 public:
  Hdf5Session();

 private:
  std::lock_guard<std::mutex> lock_;
};

/// Returns the text of the innermost entry of the calling thread's error stack, and clears it: that
/// one has the cause (errno, offsets), the outermost only says "can't read data".
[[nodiscard]] std::string take_hdf5_error();

/// Returns `id`, or throws an `Error` if it is negative. `Errc::kEnvironment` if the disk is full,
/// else `code`. `doing` completes "HDF5 failed while ...".
template <typename Id>
Id check_hdf5(Id id, const char* doing, Errc code = Errc::kCorruptData);

/// Closes an HDF5 identifier of any kind when it dies.
class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  /// Takes ownership. Throws like `check_hdf5` if `id` is negative.
  Hdf5Handle(hid_t id, const char* doing) : id_(check_hdf5(id, doing)) {}
  ~Hdf5Handle() { reset(); }
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    reset();
    id_ = std::exchange(other.id_, H5I_INVALID_HID);
    return *this;
  }

  operator hid_t() const noexcept { return id_; }  // NOLINT(google-explicit-constructor)
  void reset() noexcept;
  [[nodiscard]] hid_t release() noexcept { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// Closes `file` and throws if that fails, which is where HDF5 reports late write errors.
void close_hdf5_file(Hdf5Handle& file);

[[noreturn]] void throw_hdf5_error(const char* doing, Errc code);

template <typename Id>
Id check_hdf5(Id id, const char* doing, Errc code) {
  if (id < 0) {
    throw_hdf5_error(doing, code);
  }
  return id;
}

}  // namespace askos::io
