// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/migration.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

namespace askos::model {
namespace {

using Names = std::vector<std::string>;

/// Splits `processor.proc.2.weight` into its parts.
Names split(const std::string& name) {
  Names parts(1);
  for (const char c : name) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string joined(const Names& parts) {
  std::string name = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) name += "." + parts[i];
  return name;
}

class Migration {
 public:
  Migration(const ModelConfig& config, const Graph& graph)
      : config_(config), graph_(graph), datasets_(datasets(config)) {}

  MigratedState run(const NamedTensors& state) {
    NamedTensors named = without_prefix(state);
    count_blocks(named);
    for (const auto& [name, tensor] : named) {
      const auto renamed = today(name);
      if (!renamed) {
        note("dropped edge lists, which the graph holds");
        continue;
      }
      // Several datasets repeated the hidden nodes: the first one counts.
      result_.state.emplace(*renamed, tensor);
    }
    sort_trainables("processor_graph_provider", graph_.hidden_to_hidden);
    const auto grids = data_grids(graph_);
    for (std::size_t d = 0; d < datasets_.size(); ++d) {
      const std::string& name = datasets_[d].name;
      if (!datasets_[d].encoder_name.empty()) {
        sort_trainables("encoder_graph_provider." + name, grids[d].to_hidden);
      }
      if (!datasets_[d].decoder_name.empty()) {
        sort_trainables("decoder_graph_provider." + name, grids[d].from_hidden);
      }
    }
    result_.changes.assign(changes_.begin(), changes_.end());
    return std::move(result_);
  }

 private:
  void note(const std::string& change) { changes_.insert(change); }

  /// Keeps the network's own tensors, under names relative to it; sets the others aside.
  NamedTensors without_prefix(const NamedTensors& state) {
    std::string prefix;
    for (const char* candidate : {"model.model.", "model."}) {
      const bool has = std::any_of(state.begin(), state.end(), [&](const auto& entry) {
        return entry.first.starts_with(std::string(candidate) + "processor.");
      });
      if (has && prefix.empty()) prefix = candidate;
    }
    if (!prefix.empty()) note("dropped the prefix " + prefix);
    // What wraps the network keeps its names but for the training's own prefix.
    const std::string outer = prefix == "model.model." ? "model." : "";
    NamedTensors named;
    for (const auto& [name, tensor] : state) {
      const bool processing = name.find("pre_processors.") != std::string::npos ||
                              name.find("post_processors.") != std::string::npos;
      if (name.starts_with(prefix) && !processing) {
        named[name.substr(prefix.size())] = tensor;
      } else {
        result_.others[name.starts_with(outer) ? name.substr(outer.size()) : name] = tensor;
      }
    }
    return named;
  }

  /// Finds how many blocks came before each chunk of layers.
  void count_blocks(const NamedTensors& named) {
    std::map<int, int> sizes;
    for (const auto& [name, tensor] : named) {
      const Names parts = split(name);
      if (is_chunked(parts)) {
        int& size = sizes[std::stoi(parts[2])];
        size = std::max(size, std::stoi(parts[4]) + 1);
      }
    }
    int before = 0;
    for (const auto& [chunk, size] : sizes) {
      first_block_[chunk] = before;
      before += size;
    }
  }

  /// Names come from files: a number is only what can be one.
  static bool is_number(const std::string& text) {
    return !text.empty() && text.size() < 7 &&
           text.find_first_not_of("0123456789") == std::string::npos;
  }

  static bool is_chunked(const Names& parts) {
    return parts.size() > 5 && is_number(parts[2]) && is_number(parts[4]) &&
           parts[0] == "processor" && parts[1] == "proc" && parts[3] == "blocks";
  }

  [[nodiscard]] bool is_dataset(const std::string& name) const {
    return std::any_of(datasets_.begin(), datasets_.end(),
                       [&](const DatasetConfig& dataset) { return dataset.name == name; });
  }

  /// Returns today's name of a tensor, or nothing if it is no longer stored.
  std::optional<std::string> today(const std::string& name) {
    Names parts = split(name);
    const std::string last = parts.back();
    if (last == "edge_inc" || last == "edge_attr" || last == "edge_index_base") return {};
    if (is_chunked(parts)) {
      note("numbered the processor's layers through");
      parts[2] = std::to_string(first_block_.at(std::stoi(parts[2])) + std::stoi(parts[4]));
      parts.erase(parts.begin() + 3, parts.begin() + 5);
    }
    const auto mlp = std::find(parts.begin(), parts.end(), "node_dst_mlp");
    if (mlp != parts.end() && mlp + 1 != parts.end() && *(mlp + 1) != "mlp") {
      note("put the layers of node_dst_mlp under mlp");
      parts.insert(mlp + 1, "mlp");
    }
    if (parts[0] == "encoder" || parts[0] == "processor" || parts[0] == "decoder") {
      rename_part(parts);
    } else if (parts[0] == "encoder_graph_provider" || parts[0] == "decoder_graph_provider") {
      add_dataset(parts);
    } else if (parts[0] == "node_attributes") {
      rename_attributes(parts);
    }
    return joined(parts);
  }

  void add_dataset(Names& parts) {
    if (parts.size() > 1 && is_dataset(parts[1])) return;
    note("added the dataset's name");
    parts.insert(parts.begin() + 1, config_.data_name);
  }

  void rename_part(Names& parts) {
    if (parts.size() < 2) return;
    const bool mapper = parts[0] != "processor";
    // encoder.trainable.trainable or encoder.data.trainable.trainable
    if (parts.size() >= 3 && parts.end()[-1] == "trainable" && parts.end()[-2] == "trainable") {
      note("moved edge trainables to the graph providers");
      parts[0] += "_graph_provider";
      if (mapper) add_dataset(parts);
      return;
    }
    if (!mapper) return;
    static const std::set<std::string> kInside = {"proc", "emb_nodes_src", "emb_nodes_dst",
                                                  "node_data_extractor"};
    if (kInside.contains(parts[1])) {
      note("added the keys of encoder and decoder");
      parts.insert(parts.begin() + 1, config_.data_name);
    }
    for (const DatasetConfig& dataset : datasets_) {
      const std::string& key = parts[0] == "encoder" ? dataset.encoder_name : dataset.decoder_name;
      if (parts[1] != dataset.name || key == dataset.name || is_key(parts[0], parts[1])) continue;
      note("named encoder and decoder by their keys");
      parts[1] = key;
      return;
    }
  }

  [[nodiscard]] bool is_key(const std::string& part, const std::string& name) const {
    return std::any_of(datasets_.begin(), datasets_.end(), [&](const DatasetConfig& dataset) {
      return name == (part == "encoder" ? dataset.encoder_name : dataset.decoder_name);
    });
  }

  /// node_attributes.sea.latlons_data, node_attributes.sea.trainable_tensors.hidden.trainable
  void rename_attributes(Names& parts) {
    if (parts.size() < 3 || !is_dataset(parts[1])) return;
    note("put the attributes of all nodes side by side");
    const std::string dataset = parts[1];
    parts.erase(parts.begin() + 1);
    if (parts[1] == "latlons_data") parts[1] = "latlons_" + dataset;
    if (parts.size() > 2 && parts[1] == "trainable_tensors" && parts[2] == "data") {
      parts[2] = dataset;
    }
  }

  void sort_trainables(const std::string& provider, const Edges& edges) {
    const std::string version = provider + ".trainable_layout_version";
    const auto found = result_.state.find(version);
    if (found != result_.state.end() &&
        (found->second.numel() != 1 || found->second.item<std::int64_t>() >= 1)) {
      return;  // of another shape: the network refuses it by name
    }
    result_.state[version] = at::ones({}, at::kLong);
    const auto trainable = result_.state.find(provider + ".trainable.trainable");
    if (trainable == result_.state.end()) return;
    if (trainable->second.dim() != 2 || trainable->second.size(0) != edges.size()) {
      throw Error(Errc::kInvalidInput, "edge trainables do not fit the graph")
          .with("tensor", trainable->first)
          .with("entries", trainable->second.numel())
          .with("edges", edges.size());
    }
    note("sorted edge trainables by destination");
    std::vector<std::int64_t> order(edges.dst.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return edges.dst[static_cast<std::size_t>(a)] < edges.dst[static_cast<std::size_t>(b)];
    });
    trainable->second = trainable->second.index_select(0, at::tensor(order, at::kLong));
  }

  const ModelConfig& config_;
  const Graph& graph_;
  std::vector<DatasetConfig> datasets_;
  std::map<int, int> first_block_;  // of each chunk
  std::set<std::string> changes_;
  MigratedState result_;
};

}  // namespace

MigratedState migrate(const NamedTensors& state, const ModelConfig& config, const Graph& graph) {
  return Migration(config, graph).run(state);
}

}  // namespace askos::model
