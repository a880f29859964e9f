// SPDX-License-Identifier: Apache-2.0
// A reader may keep a slot only if the writer had not begun to overwrite it when the copy was done.
// Stores release and loads acquire in place of fences; on x86 both are plain moves.
#include <askos/telemetry/trace_ring.hpp>

#include <algorithm>
#include <bit>

namespace askos::telemetry {
namespace {

using Words = std::array<std::uint64_t, 4>;

/// Records are nearly in order of their ends: a collective may be recorded long after its end. So
/// many older ones in a row, and there is nothing newer before them.
constexpr int kOldInARow = 64;

}  // namespace

TraceRing::TraceRing(std::size_t capacity)
    : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1),
      slots_(std::make_unique<Slot[]>(mask_ + 1)) {}

void TraceRing::record(const TraceRecord& record) noexcept {
  const auto words = std::bit_cast<Words>(record);
  const auto index = written_.load(std::memory_order_relaxed);
  begun_.store(index + 1, std::memory_order_relaxed);
  auto& slot = slots_[index & mask_];
  for (std::size_t i = 0; i < words.size(); ++i) {
    slot[i].store(words[i], std::memory_order_release);
  }
  written_.store(index + 1, std::memory_order_release);
}

TraceRecord TraceRing::copy(std::uint64_t index) const noexcept {
  const auto& slot = slots_[index & mask_];
  Words words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = slot[i].load(std::memory_order_acquire);
  }
  return std::bit_cast<TraceRecord>(words);
}

std::vector<TraceRecord> TraceRing::snapshot(std::uint64_t since) const {
  const auto end = written_.load(std::memory_order_acquire);
  const auto begin = end > capacity() ? end - capacity() : 0;
  std::vector<TraceRecord> records;
  auto index = end;
  for (int num_old = 0; index > begin && num_old < kOldInARow;) {
    const auto record = copy(--index);
    num_old = record.end > since ? 0 : num_old + 1;
    records.push_back(record);
  }
  const auto begun = begun_.load(std::memory_order_relaxed);
  const auto first_kept = std::min(end, begun > capacity() ? begun - capacity() : 0);
  if (first_kept > index) {
    records.resize(end - first_kept);
  }
  std::erase_if(records, [=](const auto& record) { return record.end <= since; });
  std::ranges::reverse(records);
  return records;
}

}  // namespace askos::telemetry
