// SPDX-License-Identifier: Apache-2.0
// LibTorch calls back around every operator. Its list of callbacks is guarded by a lock, and each
// thread looks at the list's version before it uses its own copy, so the list may change while
// operators run, as PyTorch's profiler on demand does.
#include <askos/model/operator_tracing.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_ring.hpp>

#include <ATen/record_function.h>

#include <mutex>

namespace askos::model {
namespace {

struct Began final : at::ObserverContext {
  std::uint64_t tick = telemetry::ticks();
};

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& /*op*/) {
  return std::make_unique<Began>();
}

void end(const at::RecordFunction& op, at::ObserverContext* context) {
  const auto now = telemetry::ticks();
  // One that ends on another thread has no place among what that thread does.
  if (op.threadId() != at::RecordFunction::currentThreadId()) return;
  telemetry::record_operator(op.name(), static_cast<const Began*>(context)->tick, now);
}

class Callback {
 public:
  Callback()
      : handle_(at::addGlobalCallback(
            at::RecordFunctionCallback(begin, end)
                .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}))) {}
  ~Callback() { at::removeCallback(handle_); }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

std::shared_ptr<void> trace_operators() {
  static std::mutex mutex;
  static std::weak_ptr<Callback> shared;
  const std::lock_guard lock(mutex);
  auto callback = shared.lock();
  if (callback == nullptr) {
    callback = std::make_shared<Callback>();
    shared = callback;
  }
  return callback;
}

}  // namespace askos::model
