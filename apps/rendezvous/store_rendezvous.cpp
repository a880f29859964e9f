// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/store_rendezvous.hpp"

#include <askos/base/error.hpp>

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

namespace askos::apps {
namespace {

using Store = c10::intrusive_ptr<c10d::Store>;

std::chrono::milliseconds to_milliseconds(Nanoseconds time) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(time), std::chrono::milliseconds(1));
}

/// c10d warns whenever a wait ends without a value, which is what `get` is for.
void silence_waits() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) {
    FLAGS_caffe2_log_level = std::max<int>(FLAGS_caffe2_log_level, c10::GLOG_ERROR);
  }
}

/// A store's connection takes one call at a time, and a call may wait: so each has its own.
class StoreRendezvous final : public comm::Rendezvous {
 public:
  StoreRendezvous(const MasterPlace& place, Store store)
      : place_(place), address_(place.host + ":" + std::to_string(place.port)) {
    idle_.push_back(std::move(store));
  }

  [[nodiscard]] int rank() const noexcept override { return place_.rank; }
  [[nodiscard]] int size() const noexcept override { return place_.size; }

  void put(const std::string& key, const std::string& value) override {
    call([&](c10d::Store& store) {
      store.set(value_name(key), std::vector<std::uint8_t>(value.begin(), value.end()));
    });
  }

  [[nodiscard]] std::optional<std::string> get(const std::string& key,
                                               Nanoseconds timeout) override {
    const auto name = value_name(key);
    std::optional<std::string> found;
    call([&](c10d::Store& store) {
      if (!store.check({name})) {
        if (timeout <= Nanoseconds(0)) return;
        try {
          store.wait({name}, to_milliseconds(timeout));
        } catch (const c10::DistStoreError&) {  // it did not come
          return;
        }
      }
      const auto bytes = store.get(name);
      found.emplace(bytes.begin(), bytes.end());
    });
    return found;
  }

  [[nodiscard]] std::int64_t add(const std::string& key, std::int64_t amount) override {
    std::int64_t sum = 0;
    call([&](c10d::Store& store) { sum = store.add("askos/number/" + key, amount); });
    return sum;
  }

  void erase(const std::string& key) override {
    call([&](c10d::Store& store) { store.deleteKey(value_name(key)); });
  }

 private:
  static std::string value_name(const std::string& key) { return "askos/value/" + key; }

  template <typename Function>
  void call(Function function) {
    try {
      auto store = take();
      function(*store);
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(store));
    } catch (const c10::Error& error) {  // the connection may be half used: it is dropped
      throw Error(Errc::kEnvironment, "lost the ranks' meeting point")
          .with("address", address_)
          .with("reason", error.what_without_backtrace());
    }
  }

  Store take() {
    const std::lock_guard lock(mutex_);
    if (idle_.size() > 1) {
      auto store = std::move(idle_.back());
      idle_.pop_back();
      return store;
    }
    return idle_.front()->clone();  // the first one may be the server's: it stays
  }

  const MasterPlace place_;
  const std::string address_;
  std::mutex mutex_;
  std::vector<Store> idle_;
};

}  // namespace

std::shared_ptr<comm::Rendezvous> open_store_rendezvous(const MasterPlace& place,
                                                        Nanoseconds deadline) {
  silence_waits();
  const bool serves = place.rank == 0 && !place.agent_serves;
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = to_milliseconds(deadline);
  try {
    return std::make_shared<StoreRendezvous>(
        place, c10::make_intrusive<c10d::TCPStore>(place.host, options));
  } catch (const c10::Error& error) {
    throw Error(Errc::kEnvironment, serves ? "cannot open the ranks' meeting point"
                                           : "cannot reach the ranks' meeting point")
        .with("address", place.host + ":" + std::to_string(place.port))
        .with("after", format_duration(std::chrono::round<std::chrono::milliseconds>(deadline)))
        .with("reason", std::string(error.what_without_backtrace()).substr(0, 200));
  }
}

}  // namespace askos::apps
