// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"
#include "shard_texts.hpp"

#include <askos/actors/forecast_writer.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/agreement.hpp>
#include <askos/io/crc32c.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

namespace askos::actors {
namespace {

/// A name for the content: the same forecast of the same model and data has the same one, so that
/// its file has the same bytes however many ranks wrote it.
std::string content_uuid(const std::string& description) {
  std::array<std::uint32_t, 4> words{};
  std::uint32_t crc = 0;
  for (auto& word : words) {
    crc = io::crc32c(std::as_bytes(std::span(description)), crc + 1);
    word = crc;
  }
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-8%03x-8%03x-%04x%08x", words[0],
                words[1] >> 16U, words[1] & 0xfffU, words[2] & 0xfffU, words[2] >> 16U, words[3]);
  return text.data();
}

io::DatasetInfo describe(const RunContext& run, io::Time first, std::int64_t num_steps) {
  const auto& source = run.index->info();
  io::DatasetInfo info;
  info.title = "Forecast: " + source.title;
  info.source = "askos forecast from dataset " + source.uuid;
  info.licence = source.licence;
  info.cell_order = source.cell_order;
  for (const auto v : run.output_variables) {
    info.variables.push_back(source.variables[static_cast<std::size_t>(v)]);
    info.variables.back().role = io::VariableRole::kPrognostic;
  }
  info.first_time = first;
  info.step = source.step;
  info.num_rows = num_steps;
  info.latitudes = source.latitudes;
  info.longitudes = source.longitudes;
  info.grid_shape = source.grid_shape;
  info.grid_cells = source.grid_cells;
  info.num_ensembles = run.config.members;
  info.statistics_rows = {0, num_steps};
  info.uuid = content_uuid(info.source + io::format_time(first) + std::to_string(num_steps));
  return info;
}

}  // namespace

ForecastFile::ForecastFile(const RunContext& run,
                           const std::filesystem::path& path,
                           io::Time first,
                           std::int64_t num_steps,
                           comm::Communicator* processes)
    : processes_(processes) {
  const auto lay_out = [&] {
    writer_.emplace(path, describe(run, first, num_steps));
    plan_ = writer_->plan();
  };
  if (processes_ == nullptr) {
    lay_out();
    return;
  }
  comm::settle(*processes_, [&] {
    if (processes_->rank() == 0) lay_out();
  });
  plan_ = to_write_plan(comm::exchange_texts(*processes_, writer_ ? to_text(plan_) : "").front());
}

void ForecastFile::add(io::ShardResult result) {
  const std::lock_guard lock(mutex_);
  results_.push_back(std::move(result));
}

void ForecastFile::finish() {
  if (processes_ != nullptr) {
    std::vector<io::ShardResult> all;
    for (const auto& text : comm::exchange_texts(*processes_, to_text(results_))) {
      std::ranges::move(to_shard_results(text), std::back_inserter(all));
    }
    results_ = std::move(all);
  }
  if (writer_) {
    writer_->finish(results_);
  }
}

ForecastWriter::ForecastWriter(const RankContext& rank,
                               std::shared_ptr<ForecastFile> file,
                               comm::Range cells)
    : prediction{*this, "prediction", {.dtype = rank.run->config.dtype}},
      file_(std::move(file)),
      to_physical_(physical_outputs(*rank.run)) {
  if (cells.size() > 0) {
    writer_.emplace(file_->plan(), cells);
  }
}

void ForecastWriter::run(dataflow::Context& context) {
  const auto packet = context.take(prediction);
  if (!writer_) {
    return;
  }
  const auto& fields = packet->members.defined() ? packet->members : packet->forecast;
  const auto states = fields[0].to(at::kDouble).contiguous();  // [time, (member,) cell, var]
  const auto num_variables = to_physical_.size();
  std::vector<float> row(static_cast<std::size_t>(states.numel() / states.size(0)));
  for (std::int64_t t = 0; t < states.size(0); ++t) {
    const auto* const from = states[t].const_data_ptr<double>();
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>(to_physical_[i % num_variables](from[i]));
    }
    writer_->write_row(next_row_++, row, io::RowLayout::kCellVariable);
  }
}

void ForecastWriter::finish(dataflow::Context&) {
  if (writer_) {
    file_->add(writer_->finish());
  }
}

}  // namespace askos::actors
