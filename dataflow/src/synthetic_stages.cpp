// SPDX-License-Identifier: Apache-2.0
#include "split_mix.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace askos::dataflow::synthetic {
namespace {

Threading threading_of(const Service& service) {
  return service.options().dedicated ? Threading::kDedicated : Threading::kShared;
}

Contract carries(Bytes bytes, int rate = 1) {
  return {.rate = rate, .host_bytes = bytes};
}

StoredArrays state_of(const char* name, std::int64_t number) {
  return {stored_integers(name, {&number, 1})};
}

template <typename PortType>
void declare(std::deque<PortType>& ports,
             Stage& stage,
             const std::string& prefix,
             int ways,
             const Contract& contract) {
  for (int i = 0; i < ways; ++i) {
    ports.emplace_back(stage, prefix + std::to_string(i), contract);
  }
}

}  // namespace

PayloadDescription describe_payload(const Blob& blob) {
  return {host_tensor("bytes", {static_cast<std::int64_t>(blob.bytes.size())}, DType::kUInt8,
                      blob.bytes.data())};
}

StoredArrays store_payload(const Blob& blob) {
  const std::array numbers{blob.sequence, std::bit_cast<std::int64_t>(blob.checksum)};
  return {stored_integers("sequence_and_checksum", numbers),
          stored_array("bytes", {static_cast<std::int64_t>(blob.bytes.size())}, DType::kUInt8,
                       blob.bytes.data())};
}

void restore_payload(const StoredArrays& arrays, Blob& blob) {
  const auto numbers = integers_of(arrays, "sequence_and_checksum");
  if (numbers.size() != 2) {
    throw Error(Errc::kCorruptData, "recorded blob has no sequence and checksum");
  }
  blob.sequence = numbers[0];
  blob.checksum = std::bit_cast<std::uint64_t>(numbers[1]);
  blob.bytes = array_of(arrays, "bytes").bytes;
}

std::shared_ptr<const Blob> damaged(const Blob& blob, FaultKind kind, std::uint64_t seed) {
  if (kind != FaultKind::kCorrupt || blob.bytes.empty()) return nullptr;
  auto copy = std::make_shared<Blob>(blob);
  copy->bytes[seed % copy->bytes.size()] ^= std::byte{1} << (seed >> 61);
  return copy;
}

std::uint64_t checksum_of(const std::vector<std::byte>& bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
    sum += word;
  }
  return sum;
}

Source::Source(const SourceOptions& options)
    : out(*this, "out", carries(options.bytes)), options_(options) {}

void Source::start(Context& context) {
  next_ = context.clock().now();
}

void Source::run(Context& context) {
  if (context.stopping()) {
    context.end();
    return;
  }
  const Nanoseconds now = context.clock().now();
  if (now < next_) {
    context.wake_at(next_);
    return;
  }
  auto blob = std::make_shared<Blob>();
  blob->sequence = num_made_;
  blob->bytes.resize(static_cast<std::size_t>(options_.bytes.value));
  auto random = static_cast<std::uint64_t>(options_.seed + num_made_);
  for (std::size_t at = 0; at < blob->bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = split_mix(random);
    std::memcpy(blob->bytes.data() + at, &word, std::min(sizeof(word), blob->bytes.size() - at));
  }
  blob->checksum = checksum_of(blob->bytes);
  context.emit(out, std::shared_ptr<const Blob>(std::move(blob)),
               {.sample = SampleId{num_made_},
                .trace = TraceId{static_cast<std::uint64_t>(num_made_)},
                .host_bytes = options_.bytes});
  ++num_made_;
  if (num_made_ == options_.count) {
    context.end();
    return;
  }
  const bool burst_is_over = options_.burst > 0 && num_made_ % options_.burst == 0;
  next_ = std::max(next_, now) + (burst_is_over ? options_.pause : options_.interval);
}

Work::Work(const WorkOptions& options)
    : in(*this, "in", carries(options.bytes, options.batch)),
      out(*this, "out", carries(options.bytes, options.batch)),
      options_(options),
      service_(options.service) {}

void Work::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  for (int i = 0; i < options_.batch; ++i) {
    const auto packet = context.take(in);
    if (++num_taken_ == options_.fault_at) {
      throw Error(Errc::kInvalidInput, "injected fault").with("packet", num_taken_);
    }
    context.emit(out, packet.payload, packet.meta);
  }
}

std::optional<StoredArrays> Work::save_state() const {
  return state_of("num_taken", num_taken_);
}

void Work::load_state(const StoredArrays& state) {
  num_taken_ = integer_of(state, "num_taken");
}

Threading Work::threading() const {
  return threading_of(service_);
}

FanOut::FanOut(const ForkOptions& options)
    : in(*this, "in", carries(options.bytes)), options_(options), service_(options.service) {
  declare(out, *this, "out", options.ways, carries(options.bytes));
}

void FanOut::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  const auto packet = context.take(in);
  for (const auto& port : out) {
    context.emit(port, packet.payload, packet.meta);
  }
}

Threading FanOut::threading() const {
  return threading_of(service_);
}

Join::Join(const ForkOptions& options)
    : out(*this, "out", carries(options.bytes)), options_(options), service_(options.service) {
  declare(in, *this, "in", options.ways, carries(options.bytes));
}

void Join::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  std::shared_ptr<const Blob> payload;
  PacketMeta meta;
  for (const auto& port : in) {
    auto packet = context.take(port);
    if (payload == nullptr) {  // what a cycle starts with is empty
      payload = std::move(packet.payload);
      meta = packet.meta;
    }
  }
  context.emit(out, std::move(payload), meta);
}

Threading Join::threading() const {
  return threading_of(service_);
}

Route::Route(const ForkOptions& options, bool by_sample)
    : in(*this, "in", carries(options.bytes)),
      options_(options),
      by_sample_(by_sample),
      service_(options.service) {
  declare(out, *this, "out", options.ways, carries(options.bytes, /*rate=*/0));
}

void Route::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  const auto packet = context.take(in);
  const std::int64_t turn = by_sample_ ? packet.meta.sample.value : num_routed_++;
  context.emit(out[static_cast<std::size_t>(turn) % out.size()], packet.payload, packet.meta);
}

std::optional<StoredArrays> Route::save_state() const {
  return state_of("num_routed", num_routed_);
}

void Route::load_state(const StoredArrays& state) {
  num_routed_ = integer_of(state, "num_routed");
}

Threading Route::threading() const {
  return threading_of(service_);
}

Merge::Merge(const ForkOptions& options)
    : out(*this, "out", carries(options.bytes)), options_(options), service_(options.service) {
  declare(in, *this, "in", options.ways, carries(options.bytes, /*rate=*/0));
}

void Merge::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  while (context.num_waiting(in[next_]) == 0) {
    next_ = (next_ + 1) % in.size();
  }
  const auto packet = context.take(in[next_]);
  next_ = (next_ + 1) % in.size();
  context.emit(out, packet.payload, packet.meta);
}

std::optional<StoredArrays> Merge::save_state() const {
  return state_of("next", static_cast<std::int64_t>(next_));
}

void Merge::load_state(const StoredArrays& state) {
  next_ = static_cast<std::size_t>(integer_of(state, "next")) % in.size();
}

Threading Merge::threading() const {
  return threading_of(service_);
}

Sink::Sink(const SinkOptions& options)
    : in(*this, "in"), options_(options), service_(options.service) {}

void Sink::run(Context& context) {
  if (!service_.is_over(context)) {
    return;
  }
  const auto packet = context.take(in);
  ++num_packets_;
  if (packet.payload == nullptr) {
    return;
  }
  checksum_ += packet->checksum;
  if (options_.check && checksum_of(packet->bytes) != packet->checksum) {
    throw Error(Errc::kCorruptData, "bytes changed on their way").with("packet", packet->sequence);
  }
}

std::optional<StoredArrays> Sink::save_state() const {
  const std::array numbers{num_packets_, std::bit_cast<std::int64_t>(checksum_)};
  return StoredArrays{stored_integers("packets_and_checksum", numbers)};
}

void Sink::load_state(const StoredArrays& state) {
  const auto numbers = integers_of(state, "packets_and_checksum");
  if (numbers.size() != 2) {
    throw Error(Errc::kCorruptData, "recorded sink has no packets and checksum");
  }
  num_packets_ = numbers[0];
  checksum_ = std::bit_cast<std::uint64_t>(numbers[1]);
}

Threading Sink::threading() const {
  return threading_of(service_);
}

}  // namespace askos::dataflow::synthetic
