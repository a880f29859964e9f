// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_tensors.hpp"
#include "file_faults.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/metrics_log.hpp>
#include <askos/base/error.hpp>
#include <askos/base/log_text.hpp>
#include <askos/comm/agreement.hpp>
#include <askos/io/checkpoint_layout.hpp>

#include <torch/headeronly/version.h>

#include <cmath>
#include <utility>

namespace askos::actors {
namespace {

double seconds(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string to_text(const io::CheckpointInfo::PartInfo& part) {
  return io::to_json(io::Metadata::Object{{"name", part.name},
                                          {"size_bytes", part.size_bytes},
                                          {"crc32c", std::int64_t{part.crc32c}}},
                     true);
}

io::CheckpointInfo::PartInfo to_part(const std::string& text) {
  const auto json = io::parse_json(text);
  return {json.at("name").as_string(), json.at("size_bytes").as_integer(),
          static_cast<std::uint32_t>(json.at("crc32c").as_integer())};
}

/// The disk's fault, not ours: the training can do without the checkpoint.
bool is_of_the_disk(const Error& error) {
  return error.code() == Errc::kEnvironment || error.code() == Errc::kCorruptData ||
         error.code() == Errc::kNotFound;
}

io::Metadata finite(double number) {
  return std::isfinite(number) ? io::Metadata(number) : io::Metadata();
}

io::Metadata statistics(const RunContext& run) {
  io::Metadata::Object all;
  for (const auto& variable : run.index->info().variables) {
    const auto& [mean, stdev, minimum, maximum] = variable.statistics;
    all[variable.name] = io::Metadata::Object{
        {"unit", variable.unit},      {"mean", finite(mean)},
        {"stdev", finite(stdev)},     {"minimum", finite(minimum)},
        {"maximum", finite(maximum)}, {"tendency_stdev", finite(variable.tendency.stdev)}};
  }
  return all;
}

}  // namespace

Checkpointer::Checkpointer(const RankContext& rank, Options options)
    : snapshot{*this, "snapshot"},
      rank_(rank),
      options_(std::move(options)),
      faulty_(file_operations_with_faults(rank, "checkpoint")) {}

void Checkpointer::run(dataflow::Context& context) {
  const auto packet = context.take(snapshot);
  const auto arrived = context.clock().now();
  const io::CheckpointStore store(checkpoint_folder(rank_.run->config),
                                  faulty_ ? *faulty_ : io::system_file_operations());
  CheckpointReport report{.step = packet->step, .stall = packet->copied};
  try {
    for (const auto& part : write(store, *packet).parts) report.size_bytes += part.size_bytes;
    last_fault_.reset();
  } catch (const Error& error) {
    if (!is_of_the_disk(error)) throw;
    last_fault_ = error.what();
    if (rank_.is_root()) {
      store.abandon(packet->step);
      log_warning("askos.actors", "checkpoint of step " + std::to_string(packet->step) +
                                      " skipped: " + error.what());
    }
  }
  report.written = context.clock().now() - arrived;
  if (!rank_.is_root() || last_fault_) return;
  tidy_up(store);
  if (options_.metrics) {
    options_.metrics->write({{"event", "checkpoint"},
                             {"step", report.step},
                             {"stall_s", seconds(report.stall)},
                             {"write_s", seconds(report.written)},
                             {"bytes", report.size_bytes}});
  }
  if (options_.on_checkpoint) options_.on_checkpoint(report);
}

void Checkpointer::finish(dataflow::Context&) {
  if (last_fault_) {
    throw Error(Errc::kEnvironment, "run ends without a checkpoint of its last step")
        .with("reason", *last_fault_);
  }
}

io::CheckpointInfo Checkpointer::write(const io::CheckpointStore& store, const Snapshot& next) {
  auto& ranks = *rank_.scores;  // scores are made by another graph
  const auto name = io::state_part_name(ranks.rank(), ranks.size());
  comm::settle(ranks, [&] {
    if (rank_.is_root()) store.begin(next.step);
  });
  io::CheckpointInfo::PartInfo own;
  comm::settle(ranks, [&] {
    own = store.write_part(next.step, {.name = name, .write = [&](io::ByteSink& sink) {
                                         write_tensors(sink, next.state);
                                       }});
  });
  io::CheckpointInfo checkpoint;
  for (const auto& text : comm::exchange_texts(ranks, to_text(own))) {
    checkpoint.parts.push_back(to_part(text));
  }
  comm::settle(ranks, [&] {
    if (rank_.is_root()) checkpoint = store.commit(next.step, checkpoint.parts, describe(next));
  });
  return checkpoint;
}

io::Metadata::Object Checkpointer::describe(const Snapshot& next) const {
  const auto& run = *rank_.run;
  io::Metadata::Object metadata = options_.provenance;
  metadata["format"] = io::kCheckpointFormat;
  metadata["step"] = next.step;
  metadata["epoch"] = next.position.epoch;
  metadata["sample"] = next.position.sample;
  metadata["ranks"] = run.config.run.ranks;
  metadata["identity"] = model_identity(run);
  metadata["statistics"] = statistics(run);
  metadata["loss"] = finite(next.loss);
  metadata["libtorch"] = TORCH_VERSION;
  metadata["optimiser"] = io::Metadata::Object{{"kind", "adamw"},
                                               {"beta1", run.config.training.beta1},
                                               {"beta2", run.config.training.beta2},
                                               {"weight_decay", run.config.training.weight_decay}};
  // Numbers are drawn by counter: what decides them is all there is to keep.
  metadata["random"] =
      io::Metadata::Object{{"kind", "counter"},
                           {"seed", static_cast<std::int64_t>(run.config.training.seed)},
                           {"step", next.step}};
  return metadata;
}

void Checkpointer::tidy_up(const io::CheckpointStore& store) const {
  const auto& run = rank_.run->config.run;
  try {
    store.keep({.num_newest = static_cast<std::size_t>(run.keep_checkpoints),
                .best_by = run.keep_best_checkpoint ? "loss" : "",
                .every_steps = run.keep_checkpoints_every});
  } catch (const Error& error) {
    log_warning("askos.actors", std::string("an old checkpoint stays: ") + error.what());
  }
}

}  // namespace askos::actors
