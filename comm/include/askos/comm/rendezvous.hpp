// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::comm {

/// Where the processes of one run leave small values for each other, by key: addresses, digests,
/// the order of collectives. Not for data. What torchrun's store is to PyTorch.
///
/// Any thread; a thread that waits in `get` must not hold up the others. Every call throws
/// `Errc::kEnvironment` if the place where the values are kept cannot be reached.
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;

  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;

  /// Leaves `value`, which may hold any bytes, under `key` and wakes whoever waits for it. Replaces
  /// an older value.
  virtual void put(const std::string& key, const std::string& value) = 0;

  /// Waits until `key` has a value and returns it, or nothing after `timeout`; 0 looks once.
  [[nodiscard]] virtual std::optional<std::string> get(const std::string& key,
                                                       Nanoseconds timeout) = 0;

  /// Adds to the number called `key`, which begins at 0 and is no value of `get`. Returns the sum.
  [[nodiscard]] virtual std::int64_t add(const std::string& key, std::int64_t amount) = 0;

  /// Forgets the value under `key`, if there is one.
  virtual void erase(const std::string& key) = 0;
};

/// Returns `value` of every rank, by rank, once all have called this with the same `key`; a key
/// serves once. Throws `Errc::kRankLost` naming those that are missing after `deadline`.
[[nodiscard]] std::vector<std::string> exchange(Rendezvous& rendezvous,
                                                const std::string& key,
                                                const std::string& value,
                                                Nanoseconds deadline);

/// Makes the rendezvous of `num_ranks` threads of this process; entry r is rank r's.
[[nodiscard]] std::vector<std::shared_ptr<Rendezvous>> make_local_rendezvous(int num_ranks);

/// Opens the rendezvous of processes of one host that share an existing, at first empty `folder`,
/// best one in memory. Throws `Errc::kInvalidInput` if `rank` is none of `size`, and
/// `Errc::kEnvironment` if the folder cannot be used.
[[nodiscard]] std::shared_ptr<Rendezvous> open_folder_rendezvous(
    const std::filesystem::path& folder, int rank, int size);

}  // namespace askos::comm
