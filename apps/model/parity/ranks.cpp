// SPDX-License-Identifier: Apache-2.0
#include "parity/ranks.hpp"

#include "parity/tensor_file.hpp"

#include <askos/comm/agreement.hpp>
#include <askos/io/safetensors.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace askos::apps {
namespace {

class TextSink final : public io::ByteSink {
 public:
  void append(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
};

}  // namespace

void run_ranks(int num_ranks, const std::function<void(comm::Communicator&)>& body) {
  auto group = comm::make_local_group(num_ranks);
  std::exception_ptr first;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (const auto& member : group) {
    threads.emplace_back([&] {
      at::set_num_threads(1);
      try {
        body(*member);
      } catch (const std::exception& failure) {
        {
          const std::lock_guard lock(mutex);
          first = first ? first : std::current_exception();
        }
        member->abort(failure.what());
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  if (first) {
    std::rethrow_exception(first);
  }
}

std::vector<model::NamedTensors> collect_from_ranks(
    const RankPlace& place, const std::function<model::NamedTensors(comm::Communicator&)>& body) {
  std::vector<model::NamedTensors> of_ranks(static_cast<std::size_t>(place.num_ranks));
  if (place.processes == nullptr) {
    run_ranks(place.num_ranks, [&](comm::Communicator& ranks) {
      of_ranks[static_cast<std::size_t>(ranks.rank())] = body(ranks);
    });
    return of_ranks;
  }
  TextSink own;
  write_tensors(own, body(*place.processes));
  const auto texts = comm::exchange_texts(*place.processes, own.text);
  for (std::size_t r = 0; r < texts.size(); ++r) {
    of_ranks[r] = to_tensors(io::parse_safetensors(std::as_bytes(std::span(texts[r]))));
  }
  return of_ranks;
}

at::Tensor joined(const std::vector<model::NamedTensors>& of_ranks,
                  const std::string& name,
                  std::int64_t grid_axis) {
  std::vector<at::Tensor> parts;
  for (const auto& found : of_ranks) parts.push_back(found.at(name));
  return at::cat(parts, grid_axis);
}

}  // namespace askos::apps
