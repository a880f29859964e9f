// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/comm/communicator.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

namespace askos::comm::conformance {

/// What one rank does in a test. It must not depend on memory that other ranks write: with some
/// backends they are other processes.
using RankBody = std::function<void(Communicator&)>;

/// Opens a backend to the conformance tests.
class Backend {
 public:
  static constexpr Nanoseconds kLongDeadline = std::chrono::seconds(60);

  virtual ~Backend() = default;

  [[nodiscard]] virtual std::string name() const = 0;

  /// The most ranks that `run` can give; tests with more are skipped.
  [[nodiscard]] virtual int max_ranks() const { return 1 << 10; }

  /// Whether sums are made in rank order, so that they repeat bit by bit.
  [[nodiscard]] virtual bool adds_in_rank_order() const { return true; }

  /// Runs `body` for each rank of a fresh group, side by side, and returns when all are back. Makes
  /// the test fail, and the other ranks give up, when a body throws. Every rank keeps its
  /// communicator until all bodies have returned. Collectives wait for `deadline` at most.
  virtual void run(int num_ranks, Nanoseconds deadline, const RankBody& body) = 0;

  /// Memory that collectives of this backend may read and write.
  [[nodiscard]] virtual std::shared_ptr<std::byte[]> allocate(std::size_t num_bytes) {
    return std::make_shared<std::byte[]>(num_bytes);
  }

  /// Copies between the host and such memory, in either direction, and waits for it.
  virtual void copy(std::byte* to, const std::byte* from, std::size_t num_bytes) {
    std::copy_n(from, num_bytes, to);
  }
};

/// One backend with one number of ranks.
struct Case {
  std::function<std::unique_ptr<Backend>()> make;
  int num_ranks = 1;
};

inline std::ostream& operator<<(std::ostream& out, const Case& which) {
  return out << which.num_ranks << " ranks";
}

/// Names a case for `INSTANTIATE_TEST_SUITE_P`: `P3`.
inline std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return "P" + std::to_string(info.param.num_ranks);
}

/// Base of all conformance tests.
class ConformanceTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (num_ranks() > backend_->max_ranks()) {
      GTEST_SKIP() << "needs " << num_ranks() << " ranks, there are " << backend_->max_ranks();
    }
  }

  [[nodiscard]] int num_ranks() const { return GetParam().num_ranks; }
  [[nodiscard]] Backend& backend() const { return *backend_; }
  void run(const RankBody& body, Nanoseconds deadline = Backend::kLongDeadline) const {
    backend_->run(num_ranks(), deadline, body);
  }

 private:
  std::unique_ptr<Backend> backend_ = GetParam().make();
};

}  // namespace askos::comm::conformance
