// SPDX-License-Identifier: Apache-2.0
#include "process_group.hpp"

#include "rendezvous/store_rendezvous.hpp"

#include <askos/comm/device_ranks.hpp>
#include <askos/comm/placement.hpp>
#include <askos/comm/processes.hpp>
#include <askos/model/device.hpp>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace askos::apps {
namespace {

/// Until the configuration says what to expect: processes may be loading programs from slow disks.
constexpr Nanoseconds kStartHeartbeat = std::chrono::seconds(20);

/// The GPUs that this process may use, as CUDA names them.
std::vector<std::string> usable_gpus() {
  std::vector<std::string> gpus;
  if (const char* given = std::getenv("CUDA_VISIBLE_DEVICES")) {
    std::istringstream names(given);
    for (std::string name; std::getline(names, name, ',');) gpus.push_back(name);
    return gpus;
  }
  for (int gpu = 0; gpu < comm::count_gpus(); ++gpu) gpus.push_back(std::to_string(gpu));
  return gpus;
}

/// Hides all GPUs but this process's from CUDA: whatever thread says "cuda" then means that one.
void keep_one_gpu(int local_rank) {
  const auto gpus = usable_gpus();
  if (gpus.empty()) return;  // joining will say what is missing
  const auto& own = gpus[static_cast<std::size_t>(local_rank) % gpus.size()];
  ::setenv("CUDA_VISIBLE_DEVICES", own.c_str(), /*replace=*/1);
}

/// Forwards to `comm::Processes` or `comm::DeviceRanks`.
template <typename Members, bool kHasGpus>
class Joined final : public ProcessGroup {
 public:
  template <typename... Arguments>
  explicit Joined(Arguments&&... arguments) : members_(std::forward<Arguments>(arguments)...) {}

  [[nodiscard]] int rank() const noexcept override { return members_.rank(); }
  [[nodiscard]] int size() const noexcept override { return members_.size(); }
  [[nodiscard]] bool has_gpus() const noexcept override { return kHasGpus; }

  [[nodiscard]] std::unique_ptr<comm::Communicator> make_communicator(
      const comm::LocalOptions& options) override {
    return members_.make_communicator(options);
  }
  void expect_heartbeats(Nanoseconds heartbeat) override { members_.expect_heartbeats(heartbeat); }
  void fail(const Error& error) noexcept override { members_.fail(error); }
  [[nodiscard]] std::optional<Error> failure() const override { return members_.failure(); }

 private:
  Members members_;
};

}  // namespace

std::unique_ptr<ProcessGroup> join_processes() {
  const auto place = find_master_place();
  if (place) keep_one_gpu(place->local_rank);
  const bool on_gpus = place && (place->is_torchruns || comm::count_gpus() > 0);
  if (on_gpus && place->size > 1) {
    (void)model::find_device(
        "cuda");  // or says that there is none before ranks wait for each other
    return std::make_unique<Joined<comm::DeviceRanks, true>>(
        open_store_rendezvous(*place),
        comm::DeviceOptions{.device = 0, .heartbeat = kStartHeartbeat});
  }
  auto joined = std::make_unique<Joined<comm::Processes, false>>();
  if (joined->size() > 1) joined->expect_heartbeats(kStartHeartbeat);
  return joined;
}

}  // namespace askos::apps
