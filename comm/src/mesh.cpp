// SPDX-License-Identifier: Apache-2.0
// With W ranks in all, P per model, R readers per model and Q per ensemble, all groups are
// arithmetic progressions of world ranks: see `progression`.
#include <askos/base/error.hpp>
#include <askos/comm/mesh.hpp>

#include <string>
#include <utility>

namespace askos::comm {
namespace {

MeshOptions with_defaults(MeshOptions options) {
  if (options.num_ranks_per_model == 0) {
    options.num_ranks_per_model = options.num_ranks;
  }
  if (options.num_readers_per_model == 0) {
    options.num_readers_per_model = options.num_ranks_per_model;
  }
  if (options.num_ranks_per_ensemble == 0) {
    options.num_ranks_per_ensemble = options.num_ranks_per_model;
  }
  return options;
}

/// Collects what does not hold, so that all of it is reported at once.
class Constraints {
 public:
  /// Returns whether `value` can be counted with at all.
  bool at_least_one(const std::string& name, int value) {
    if (value < 1) {
      add(name, std::to_string(value) + ", must be at least 1");
    }
    return value >= 1;
  }

  void multiple(const std::string& name, int value, const std::string& of, int unit) {
    if (value >= 1 && unit >= 1 && value % unit != 0) {
      add(name,
          std::to_string(value) + ", must be a multiple of " + of + " " + std::to_string(unit));
    }
  }

  void add(const std::string& name, std::string what) {
    faults_.emplace_back(name, std::move(what));
  }

  void throw_if_any() const {
    if (faults_.empty()) {
      return;
    }
    Error error(Errc::kInvalidInput, "ranks do not fit the mesh");
    for (const auto& [name, what] : faults_) {
      error.with(name, what);
    }
    throw error;
  }

 private:
  std::vector<std::pair<std::string, std::string>> faults_;
};

void check(const MeshOptions& options, int rank) {
  const int ranks = options.num_ranks;
  const int model = options.num_ranks_per_model;
  const int readers = options.num_readers_per_model;
  const int ensemble = options.num_ranks_per_ensemble;
  Constraints constraints;
  const bool has_ranks = constraints.at_least_one("num_ranks", ranks);
  constraints.at_least_one("num_ranks_per_model", model);
  constraints.at_least_one("num_readers_per_model", readers);
  constraints.at_least_one("num_ranks_per_ensemble", ensemble);
  constraints.multiple("num_ranks", ranks, "num_ranks_per_model", model);
  constraints.multiple("num_ranks", ranks, "num_ranks_per_ensemble", ensemble);
  constraints.multiple("num_ranks_per_model", model, "num_readers_per_model", readers);
  constraints.multiple("num_ranks_per_ensemble", ensemble, "num_ranks_per_model", model);
  if (options.keep_batch_sharded && readers != model) {
    constraints.add("num_readers_per_model",
                    std::to_string(readers) + ", must equal num_ranks_per_model " +
                        std::to_string(model) + " to keep the batch sharded");
  }
  if (has_ranks && (rank < 0 || rank >= ranks)) {
    constraints.add("rank", std::to_string(rank) + ", must be below num_ranks " +
                                std::to_string(ranks) + " and not negative");
  }
  constraints.throw_if_any();
}

/// The group of `size` ranks `first, first + stride, …` that `rank` belongs to.
Mesh::Group progression(int index, int num_groups, int first, int stride, int size, int rank) {
  Mesh::Group group{
      .index = index, .num_groups = num_groups, .rank = (rank - first) / stride, .ranks = {}};
  for (int i = 0; i < size; ++i) {
    group.ranks.push_back(first + i * stride);
  }
  return group;
}

Mesh::Group contiguous(int num_ranks, int size, int rank) {
  const int index = rank / size;
  return progression(index, num_ranks / size, index * size, 1, size, rank);
}

}  // namespace

Mesh::Mesh(const MeshOptions& options, int rank) : options_(with_defaults(options)), rank_(rank) {
  check(options_, rank);
  const int num_ranks = options_.num_ranks;
  const int per_model = options_.num_ranks_per_model;
  const int per_ensemble = options_.num_ranks_per_ensemble;
  const int position = rank % per_model;
  model_ = contiguous(num_ranks, per_model, rank);
  readers_ = contiguous(num_ranks, options_.num_readers_per_model, rank);
  ensemble_ = contiguous(num_ranks, per_ensemble, rank);
  data_parallel_ =
      progression(position, per_model, position, per_model, num_ranks / per_model, rank);
  ensemble_members_ =
      progression(ensemble_.index * per_model + position, ensemble_.num_groups * per_model,
                  ensemble_.ranks.front() + position, per_model, per_ensemble / per_model, rank);
}

}  // namespace askos::comm
