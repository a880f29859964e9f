// SPDX-License-Identifier: Apache-2.0
#include "misfit.hpp"

#include <algorithm>
#include <array>

namespace askos::model {
namespace {

struct Clue {
  const char* part_of_name;
  const char* explanation;
};

/// The first that a name holds counts.
constexpr std::array kPresence{
    Clue{".q_norm.", "qk_norm"},
    Clue{".k_norm.", "qk_norm"},
    Clue{".edge_pre_mlp.", "edge_pre_mlp"},
    Clue{".mlp.0.gate_proj", "mlp_implementation"},
    Clue{".mlp.0.value_proj", "mlp_implementation"},
    Clue{".node_dst_mlp.mlp.", "mlp_implementation"},
    Clue{".scale.weight", "noise injector (conditional norms)"},
    Clue{".scale.bias", "noise injector (conditional norms)"},
    Clue{"node_attributes.", "node trainables, names of datasets and hidden nodes"},
    Clue{"_graph_provider", "edge trainables, names of datasets"},
    Clue{"processor.proc.", "processor.num_layers"},
    Clue{"node_data_extractor", "decoder"},
    Clue{"norm_min_val", "bounding"},
    Clue{"boundings.", "bounding"},
    Clue{"residual", "residual"},
    Clue{"noise", "noise injector"},
    Clue{"encoder.", "encoder key, encoders"},
    Clue{"decoder.", "decoder key, decoders"},
};

constexpr std::array kShape{
    Clue{"latlons_", "graph: number of nodes"},
    Clue{"trainable_tensors.", "node trainables; graph: number of nodes"},
    Clue{"_graph_provider", "edge trainables; graph: number of edges"},
    Clue{".lin_edge.", "edge trainables, edge attributes, num_channels"},
    Clue{".edge_pre_mlp.", "edge trainables, edge attributes"},
    Clue{".q_norm.", "num_heads, attn_channels"},
    Clue{".k_norm.", "num_heads, attn_channels"},
    Clue{".node_dst_mlp.", "mlp_hidden_ratio, num_channels"},
    Clue{"emb_nodes_",
         "input variables, n_step_input, node trainables, decoder target, num_channels"},
    Clue{"node_data_extractor", "output variables, n_step_output, num_channels"},
    Clue{"norm_min_val", "bounding"},
    Clue{"residual.", "residual: regressors, lmax; prognostic variables"},
    Clue{"noise_injector.", "noise injector: channels; num_channels"},
    Clue{".scale.", "noise injector: channels; num_channels"},
    Clue{".proc.", "num_channels, attn_channels"},
};

template <typename Clues>
void add(std::vector<std::string>& explanations,
         const Clues& clues,
         const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto found = std::find_if(clues.begin(), clues.end(), [&](const Clue& clue) {
      return name.find(clue.part_of_name) != std::string::npos;
    });
    if (found == clues.end()) continue;
    const std::string text = found->explanation;
    if (std::find(explanations.begin(), explanations.end(), text) == explanations.end()) {
      explanations.push_back(text);
    }
  }
}

}  // namespace

std::vector<std::string> explain_misfit(const std::vector<std::string>& missing,
                                        const std::vector<std::string>& unknown,
                                        const std::vector<std::string>& misshapen) {
  std::vector<std::string> explanations;
  add(explanations, kPresence, missing);
  add(explanations, kPresence, unknown);
  add(explanations, kShape, misshapen);
  return explanations;
}

}  // namespace askos::model
