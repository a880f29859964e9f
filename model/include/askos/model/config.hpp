// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace askos::model {

/// The two-layer network of a block: plain with GELU, or gated, `out(activation(gate) * value)`.
enum class MlpKind : std::uint8_t { kGelu, kGlu, kSwiglu, kGeglu, kReglu };

/// Shape of one graph-transformer block.
struct BlockConfig {
  int num_heads = 16;
  int attention_channels = 0;  ///< 0: as many as the model has
  double mlp_hidden_ratio = 4;
  MlpKind mlp = MlpKind::kGelu;
  bool qk_norm = false;
  bool edge_pre_mlp = false;
  int edge_trainables = 8;
  /// 0: computed at once, activations kept for backward. n > 0: computed in n pieces (ranges of
  /// destinations in encoder and decoder, of layers in the processor) that backward recomputes.
  int num_chunks = 0;
};

/// What the decoder knows about its destinations, in this order.
enum class TargetFeature : std::uint8_t {
  kEncodedData,
  kCoordinates,
  kForcings,
  kPrognostics,
  kTrainables
};

/// What is added to the decoder's output in the prognostic variables.
enum class Residual : std::uint8_t {
  kNone,
  kSkip,       ///< the last input step
  kTruncated,  ///< the last input step, projected to the graph's coarse grid and back
};

/// Keeps output variables within limits, in normalised units.
struct Bounding {
  enum class Kind : std::uint8_t {
    kRelu,            ///< max(x, 0)
    kNormalizedRelu,  ///< max(x, minimum), one minimum per variable
    kHardtanh,        ///< clamp(x, minimum[0], maximum)
    kFraction,        ///< clamp as above, times the variable `total`
  };
  Kind kind = Kind::kRelu;
  std::vector<std::string> variables = {};
  std::vector<double> minimum = {};
  double maximum = 1;
  std::string total = {};
};

/// The order of variables along the last axis. Those in both lists are prognostic, input-only ones
/// are forcings, output-only ones diagnostics.
struct Variables {
  std::vector<std::string> input = {};
  std::vector<std::string> output = {};
};

/// Which attention runs: plain loops over edges, or the composite of LibTorch operations that is
/// its oracle.
enum class AttentionBackend : std::uint8_t { kLoops, kComposite };

/// Everything about a GraphTransformer encoder-processor-decoder but its graph and weights.
struct ModelConfig {
  Variables variables;
  int num_input_steps = 2;
  int num_output_steps = 1;
  int num_channels = 1024;
  int num_layers = 16;
  BlockConfig encoder;
  BlockConfig processor;
  BlockConfig decoder;
  int data_node_trainables = 8;
  int hidden_node_trainables = 8;
  std::vector<TargetFeature> decoder_target = {TargetFeature::kEncodedData};
  bool latent_skip = true;
  Residual residual = Residual::kSkip;
  std::vector<Bounding> boundings = {};  ///< applied in this order
  bool zero_output_layer = false;        ///< the last linear layer starts at zero
  AttentionBackend attention = AttentionBackend::kLoops;
  std::string data_name = "data";  ///< as in parameter names
  std::string hidden_name = "hidden";
  std::string encoder_name = "0";
  std::string decoder_name = "0";
};

/// Throws one `Errc::kInvalidInput` that lists every value that makes no sense.
void validate(const ModelConfig& config);

}  // namespace askos::model
