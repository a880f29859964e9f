// SPDX-License-Identifier: Apache-2.0
// A reader may keep a slot only if the writer had not begun to overwrite it when the copy was done.
// Stores release and loads acquire in place of fences; on x86 both are plain moves.
#include <askos/telemetry/trace_ring.hpp>

#include <algorithm>
#include <bit>

namespace askos::telemetry {
namespace {

using Words = std::array<std::uint64_t, 4>;

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

std::vector<TraceRecord> TraceRing::snapshot() const {
  const auto capacity = mask_ + 1;
  const auto end = written_.load(std::memory_order_acquire);
  auto begin = end > capacity ? end - capacity : 0;
  std::vector<TraceRecord> records;
  records.reserve(end - begin);
  for (auto index = begin; index < end; ++index) {
    const auto& slot = slots_[index & mask_];
    Words words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = slot[i].load(std::memory_order_acquire);
    }
    records.push_back(std::bit_cast<TraceRecord>(words));
  }
  const auto begun = begun_.load(std::memory_order_relaxed);
  const auto first_kept = std::min(end, begun > capacity ? begun - capacity : 0);
  if (first_kept > begin) {
    records.erase(records.begin(),
                  records.begin() + static_cast<std::ptrdiff_t>(first_kept - begin));
  }
  return records;
}

}  // namespace askos::telemetry
