// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/rank_context.hpp>
#include <askos/base/error.hpp>

#include <numbers>
#include <string>

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

/// Cuts the ranks into groups of `size` neighbours; entry r is rank r's communicator in its group.
std::vector<std::shared_ptr<comm::Communicator>> make_groups(const RunOptions& options,
                                                             int size,
                                                             const char* name) {
  std::vector<std::shared_ptr<comm::Communicator>> by_rank;
  for (int group = 0; group < options.ranks / size; ++group) {
    for (auto& one : comm::make_local_group(size, {.deadline = options.deadline, .name = name})) {
      by_rank.push_back(std::move(one));
    }
  }
  return by_rank;
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

std::vector<RankContext> make_local_ranks(const std::shared_ptr<const RunContext>& run) {
  const auto& options = run->config.run;
  const comm::MeshOptions mesh_options{
      .num_ranks = options.ranks,
      .num_ranks_per_model = options.ranks_per_model,
      .num_readers_per_model = options.num_readers_per_model,
      .num_ranks_per_ensemble = options.ranks_per_ensemble,
      .keep_batch_sharded = options.num_readers_per_model == 0,
  };
  const comm::Mesh first(mesh_options, 0);
  const int ranks_per_model = first.model().size();
  const int ranks_per_reader_group = first.readers().size();
  const auto groups = [&](int size, const char* name) { return make_groups(options, size, name); };
  const auto model = groups(ranks_per_model, "model");
  const auto gather = groups(ranks_per_model, "gather");
  const auto readers = groups(ranks_per_reader_group, "readers");
  const auto gradients = groups(options.ranks, "gradients");
  const auto scores = groups(options.ranks, "scores");

  std::vector<std::shared_ptr<comm::Communicator>> members(gather.size());
  for (int rank = 0; rank < options.ranks; ++rank) {
    const comm::Mesh::Group group = comm::Mesh(mesh_options, rank).ensemble_members();
    if (group.rank > 0) continue;
    auto made =
        comm::make_local_group(group.size(), {.deadline = options.deadline, .name = "members"});
    for (std::size_t i = 0; i < made.size(); ++i) {
      members[static_cast<std::size_t>(group.ranks[i])] = std::move(made[i]);
    }
  }

  const auto num_cells = run->index->info().num_cells();
  std::vector<RankContext> ranks;
  for (int rank = 0; rank < options.ranks; ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    const comm::Mesh mesh(mesh_options, rank);
    ranks.push_back({
        .run = run,
        .mesh = mesh,
        .own_cells = comm::balanced_range(num_cells, mesh.model().size(), mesh.model().rank),
        .read_cells = comm::balanced_range(num_cells, mesh.readers().size(), mesh.readers().rank),
        .model = model[at],
        .members = members[at],
        .gradients = gradients[at],
        .readers = readers[at],
        .gather = gather[at],
        .scores = scores[at],
    });
    if (ranks.back().own_cells.size() == 0) {
      throw Error(Errc::kInvalidInput, "more ranks than cells of the grid")
          .with("ranks", ranks_per_model)
          .with("cells", num_cells);
    }
  }
  return ranks;
}

}  // namespace askos::actors
