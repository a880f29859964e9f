// SPDX-License-Identifier: Apache-2.0
// Stages that do next to nothing, so that what remains is the hop.
#pragma once

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/stage.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace askos::dataflow::bench {

struct Blob {
  std::uint64_t number = 0;
  std::vector<char> bytes;
};
using BlobPtr = std::shared_ptr<const Blob>;

/// Emits payloads made beforehand, in turn.
class Source final : public Stage {
 public:
  Source(std::int64_t count, const std::vector<BlobPtr>& blobs, Threading threading)
      : out(*this, "out", {.host_bytes = {static_cast<std::int64_t>(blobs[0]->bytes.size())}}),
        count_(count),
        blobs_(blobs),
        threading_(threading) {}
  Out<Blob> out;

  void run(Context& context) override {
    context.emit(out, blobs_[static_cast<std::size_t>(next_) % blobs_.size()],
                 {.sample = SampleId{next_}});
    if (++next_ == count_) context.end();
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  std::int64_t count_;
  std::int64_t next_ = 0;
  std::vector<BlobPtr> blobs_;
  Threading threading_;
};

/// Passes packets on after `turns` steps of dependent arithmetic.
class Work final : public Stage {
 public:
  Work(std::int64_t turns, Threading threading) : turns_(turns), threading_(threading) {}
  In<Blob> in{*this, "in"};
  Out<Blob> out{*this, "out"};

  static std::uint64_t burn(std::uint64_t seed, std::int64_t turns) noexcept {
    for (std::int64_t i = 0; i < turns; ++i)
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return seed;
  }
  void run(Context& context) override {
    auto packet = context.take(in);
    sink_ = burn(sink_, turns_);
    context.emit(out, std::move(packet.payload), packet.meta);
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  std::int64_t turns_;
  volatile std::uint64_t sink_ = 1;
  Threading threading_;
};

struct Sum {
  std::int64_t packets = 0;
  std::int64_t samples = 0;
  std::uint64_t numbers = 0;
};

/// Adds up what arrives.
class Sink final : public Stage {
 public:
  Sink(std::shared_ptr<Sum> sum, Nanoseconds pause, Threading threading)
      : sum_(std::move(sum)), pause_(pause), threading_(threading) {}
  In<Blob> in{*this, "in"};

  void run(Context& context) override {
    const auto packet = context.take(in);
    ++sum_->packets;
    sum_->samples += packet.meta.sample.value;
    sum_->numbers += packet->number;
    if (pause_.count() > 0) context.clock().sleep_until(context.clock().now() + pause_);
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  std::shared_ptr<Sum> sum_;
  Nanoseconds pause_;
  Threading threading_;
};

inline std::vector<BlobPtr> make_blobs(std::size_t num_blobs, std::size_t bytes) {
  std::vector<BlobPtr> blobs;
  for (std::size_t i = 0; i < num_blobs; ++i) {
    blobs.push_back(std::make_shared<const Blob>(Blob{i, std::vector<char>(bytes, 1)}));
  }
  return blobs;
}

}  // namespace askos::dataflow::bench
