// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/rank_context.hpp>
#include <askos/base/error.hpp>

#include <algorithm>
#include <numbers>
#include <string>
#include <thread>

namespace askos::actors {
namespace {

model::Nodes grid_nodes(const io::DatasetInfo& info) {
  constexpr double kRadians = std::numbers::pi / 180;
  model::Nodes nodes;
  for (std::int64_t cell = 0; cell < info.num_cells(); ++cell) {
    nodes.lat.push_back(info.latitudes[static_cast<std::size_t>(cell)] * kRadians);
    nodes.lon.push_back(info.longitudes[static_cast<std::size_t>(cell)] * kRadians);
  }
  return nodes;
}

model::Graph make_graph(const io::DatasetInfo& info, const GraphConfig& config) {
  const model::Nodes cells = grid_nodes(info);
  if (config.kind == GraphKind::kRegional) return model::regional_graph(cells, config.regional);
  if (config.kind == GraphKind::kGlobal) return model::global_graph(cells, config.global);
  std::vector<bool> in_region;
  for (std::size_t cell = 0; cell < info.latitudes.size(); ++cell) {
    in_region.push_back(config.region.contains(info.latitudes[cell], info.longitudes[cell]));
  }
  return model::stretched_graph(cells, in_region,
                                {.level = config.global.level,
                                 .region_level = config.region_level,
                                 .encoder_neighbours = config.regional.encoder_neighbours,
                                 .decoder_neighbours = config.global.decoder_neighbours});
}

void check_rows(const io::DatasetIndex& index, const comm::Range& rows, const char* key) {
  if (rows.end > index.info().num_rows) {
    throw Error(Errc::kInvalidInput, "rows lie outside the dataset")
        .with("file", index.path().string())
        .with("key", key)
        .with("expected", "at most " + std::to_string(index.info().num_rows))
        .with("found", rows.end);
  }
}

std::vector<io::Affine> make_normaliser(const io::DatasetIndex& index, const DataConfig& data) {
  std::map<std::string, io::Normalisation> methods;
  for (const auto& [variable, method] : data.normalizers) {
    methods[variable] = io::parse_normalisation(method);
  }
  try {
    return io::make_normaliser(index.info(), io::parse_normalisation(data.normalizer), methods);
  } catch (Error& error) {
    throw error.with("file", index.path().string()).with("key", "data.normalizers");
  }
}

comm::MeshOptions mesh_options(const RunOptions& options) {
  return {
      .num_ranks = options.ranks,
      .num_ranks_per_model = options.ranks_per_model,
      .num_readers_per_model = options.num_readers_per_model,
      .num_ranks_per_ensemble = options.ranks_per_ensemble,
      .keep_batch_sharded = options.num_readers_per_model == 0,
  };
}

/// Makes a rank without its communicators.
RankContext make_rank(const std::shared_ptr<const RunContext>& run,
                      int rank,
                      int num_threads,
                      const std::string& device) {
  const auto& options = run->config.run;
  const comm::Mesh mesh(mesh_options(options), rank);
  const auto num_cells = run->index->info().num_cells();
  const auto own_cells = comm::balanced_range(num_cells, mesh.model().size(), mesh.model().rank);
  if (num_cells < mesh.model().size()) {
    throw Error(Errc::kInvalidInput, "more ranks than cells of the grid")
        .with("ranks", mesh.model().size())
        .with("cells", num_cells);
  }
  return {
      .run = run,
      .mesh = mesh,
      .own_cells = own_cells,
      .read_cells = comm::balanced_range(num_cells, mesh.readers().size(), mesh.readers().rank),
      .num_threads = options.num_threads_per_rank > 0 ? options.num_threads_per_rank : num_threads,
      .device = device,
      .model = {},
      .members = {},
      .gradients = {},
      .readers = {},
      .gather = {},
      .scores = {},
  };
}

using Group = comm::Mesh::Group;
using SharedCommunicator = std::shared_ptr<comm::Communicator>;

/// Gives each rank a communicator of its group, as `group_of` tells it of a mesh.
std::vector<SharedCommunicator> make_local_groups(const std::vector<RankContext>& ranks,
                                                  const Group& (comm::Mesh::*group_of)() const,
                                                  const char* name) {
  std::vector<SharedCommunicator> by_rank(ranks.size());
  for (const auto& rank : ranks) {
    const Group& group = (rank.mesh.*group_of)();
    if (group.rank > 0) continue;
    auto made = comm::make_local_group(group.size(),
                                       {.deadline = rank.run->config.run.deadline, .name = name});
    for (std::size_t i = 0; i < made.size(); ++i) {
      by_rank[static_cast<std::size_t>(group.ranks[i])] = std::move(made[i]);
    }
  }
  return by_rank;
}

std::vector<RankContext> make_local_ranks(const std::shared_ptr<const RunContext>& run) {
  const int num_ranks = run->config.run.ranks;
  const std::string device = num_ranks > 1 ? "cpu" : run->config.run.device;
  // Local ranks share the cores; more threads than cores make each other wait.
  const int num_cores = static_cast<int>(std::thread::hardware_concurrency());
  std::vector<RankContext> ranks;
  for (int rank = 0; rank < num_ranks; ++rank) {
    ranks.push_back(make_rank(run, rank, std::max(1, num_cores / num_ranks), device));
  }
  const auto model = make_local_groups(ranks, &comm::Mesh::model, "model");
  const auto members = make_local_groups(ranks, &comm::Mesh::ensemble_members, "members");
  const auto readers = make_local_groups(ranks, &comm::Mesh::readers, "readers");
  const auto gather = make_local_groups(ranks, &comm::Mesh::model, "gather");
  const auto everyone = [&](const char* name) {
    return comm::make_local_group(num_ranks, {.deadline = run->config.run.deadline, .name = name});
  };
  auto gradients = everyone("gradients");
  auto scores = everyone("scores");
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    ranks[r].model = model[r];
    ranks[r].members = members[r];
    ranks[r].gradients = std::move(gradients[r]);
    ranks[r].readers = readers[r];
    ranks[r].gather = gather[r];
    ranks[r].scores = std::move(scores[r]);
  }
  return ranks;
}

RankContext make_process_rank(const std::shared_ptr<const RunContext>& run,
                              const ProcessPlace& place) {
  auto rank = make_rank(run, place.ranks->rank(), place.num_threads, place.device);
  const auto split = [&](const Group& group, const char* name) -> SharedCommunicator {
    return place.ranks->split(group.index, name);
  };
  rank.model = split(rank.mesh.model(), "model");
  rank.members = split(rank.mesh.ensemble_members(), "members");
  rank.gradients = place.ranks->derive("gradients");
  rank.readers = split(rank.mesh.readers(), "readers");
  rank.gather = split(rank.mesh.model(), "gather");
  rank.scores = place.ranks->derive("scores");
  return rank;
}

}  // namespace

std::shared_ptr<const RunContext> make_run_context(RunConfig config) {
  auto run = std::make_shared<RunContext>();
  run->index = io::DatasetIndex::open(config.data.file);
  const auto& info = run->index->info();
  check_rows(*run->index, config.data.train_rows, "data.train_rows");
  check_rows(*run->index, config.data.test_rows, "data.test_rows");

  run->normaliser = make_normaliser(*run->index, config.data);

  if (config.data.boundary_cells > 0) {
    if (info.grid_shape.size() != 2) {
      throw Error(Errc::kInvalidInput, "a frame needs a grid of rows and columns")
          .with("key", "data.boundary_cells")
          .with("file", config.data.file.string())
          .with("found", std::to_string(info.grid_shape.size()) + " axes");
    }
    run->interior = io::cells_with_full_neighbourhood(info, config.data.boundary_cells);
  }

  auto& variables = config.model.variables;
  variables = {};
  for (std::int64_t v = 0; v < info.num_variables(); ++v) {
    const auto& variable = info.variables[static_cast<std::size_t>(v)];
    if (variable.role != io::VariableRole::kDiagnostic) {
      variables.input.push_back(variable.name);
      run->input_variables.push_back(v);
    }
    if (variable.role != io::VariableRole::kForcing) {
      variables.output.push_back(variable.name);
      run->output_variables.push_back(v);
    }
  }
  config.model.num_input_steps = config.data.num_input_steps;
  config.model.num_output_steps = config.data.num_output_steps;

  run->graph = make_graph(info, config.graph);
  run->config = std::move(config);
  return run;
}

void RankContext::abort(const std::string& reason) const noexcept {
  for (const auto& communicator : {model, members, gradients, readers, gather, scores}) {
    communicator->abort(reason);
  }
}

std::vector<RankContext> make_ranks(const std::shared_ptr<const RunContext>& run,
                                    const ProcessPlace* place) {
  if (place == nullptr) {
    return make_local_ranks(run);
  }
  std::vector<RankContext> one;
  one.push_back(make_process_rank(run, *place));
  return one;
}

}  // namespace askos::actors
