// SPDX-License-Identifier: Apache-2.0
#include "file_faults.hpp"

#include <askos/base/clock.hpp>
#include <askos/dataflow/fault.hpp>
#include <askos/io/hooked_file_operations.hpp>

#include <cerrno>
#include <span>
#include <utility>
#include <vector>

namespace askos::actors {
namespace {

using dataflow::FaultKind;

bool is_about(const std::string& operation, const std::string& call) {
  return operation == call || (operation == "read" && (call == "pread" || call == "preadv")) ||
         (operation == "write" && call == "pwrite");
}

/// The faults of one stage's file operations; one thread.
class FileFaults {
 public:
  explicit FileFaults(std::vector<dataflow::FaultTrigger> triggers)
      : triggers_(std::move(triggers)), start_(steady_clock().now()) {}

  /// Returns 0, or the negative errno that the call fails with.
  int before(const io::HookedFileOperations::Call& call) {
    corrupt_ = nullptr;
    auto& clock = steady_clock();
    int result = 0;
    for (auto& trigger : triggers_) {
      const auto& fault = trigger.fault();
      if (!is_about(fault.operation, call.name) || !trigger.strikes(clock.now() - start_)) continue;
      switch (fault.kind) {
        case FaultKind::kKill: dataflow::kill_this_process();
        case FaultKind::kSlow: clock.sleep_until(clock.now() + fault.delay); break;
        case FaultKind::kIoError: result = -EIO; break;
        case FaultKind::kDiskFull: result = -ENOSPC; break;
        case FaultKind::kCorrupt: corrupt_ = &trigger; break;
        case FaultKind::kHang:
        case FaultKind::kNan: break;  // refused by the plan
      }
    }
    return result;
  }

  void after_read(std::span<std::byte> bytes) {
    if (corrupt_ == nullptr) return;
    const auto at = corrupt_->draw();
    bytes[at % bytes.size()] ^= std::byte{1} << (at >> 61);
  }

 private:
  std::vector<dataflow::FaultTrigger> triggers_;
  Nanoseconds start_;
  dataflow::FaultTrigger* corrupt_ = nullptr;  ///< strikes the call under way
};

}  // namespace

std::unique_ptr<io::FileOperations> file_operations_with_faults(const RankContext& rank,
                                                                const std::string& stage) {
  std::vector<dataflow::FaultTrigger> triggers;
  for (const auto& fault : rank.run->config.faults) {
    const int number = rank.mesh.rank();
    if (fault.stage == stage && !fault.operation.empty() && fault.rank.value_or(number) == number) {
      triggers.emplace_back(fault, number);
    }
  }
  if (triggers.empty()) return nullptr;
  const auto faults = std::make_shared<FileFaults>(std::move(triggers));
  return std::make_unique<io::HookedFileOperations>(
      [faults](const auto& call) { return faults->before(call); },
      [faults](std::span<std::byte> bytes) { faults->after_read(bytes); });
}

}  // namespace askos::actors
