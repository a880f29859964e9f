// SPDX-License-Identifier: Apache-2.0
#include "run_recording.hpp"

#include <askos/dataflow/session.hpp>
#include <askos/telemetry/run_span.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <utility>

namespace askos::apps {
namespace {

/// Lives as long as a session is on show, so it reads the session when that is over.
class Recording {
 public:
  Recording(const dataflow::Session& session,
            std::filesystem::path folder,
            std::shared_ptr<void> inner)
      : session_(session),
        folder_(std::move(folder)),
        inner_(std::move(inner)),
        graph_(session.plan().ranks().front().name()),
        span_("askos " + graph_) {}
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  ~Recording() {
    try {
      const auto status = session_.status();
      span_.set("askos.graph", graph_);
      span_.set("askos.ranks", static_cast<std::int64_t>(session_.plan().ranks().size()));
      span_.end(status.state == "failed" ? "the run failed" : "");
      span_.append_to(folder_ / "spans.jsonl");
      telemetry::write_trace(session_.trace(), folder_ / (graph_ + ".pftrace"));
    } catch (const std::exception& error) {
      std::cerr << "askos: warning: no record of the run: " << error.what() << "\n";
    }
  }

 private:
  const dataflow::Session& session_;
  const std::filesystem::path folder_;
  const std::shared_ptr<void> inner_;
  const std::string graph_;
  telemetry::RunSpan span_;
};

}  // namespace

void record_run(actors::RunHooks& hooks, const std::filesystem::path& folder) {
  hooks.on_session = [folder, attach = hooks.on_session](
                         const dataflow::Session& session) -> std::shared_ptr<void> {
    return std::make_shared<Recording>(session, folder, attach ? attach(session) : nullptr);
  };
}

}  // namespace askos::apps
