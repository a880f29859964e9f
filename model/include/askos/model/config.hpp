// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace askos::model {

/// The two-layer network of a block: plain with GELU, or gated, `out(activation(gate) * value)`.
enum class MlpKind : std::uint8_t { kGelu, kGlu, kSwiglu, kGeglu, kReglu };

/// What ranks share out while a block attends; it changes no number but for rounding.
enum class ShardStrategy : std::uint8_t {
  kEdges,  ///< each rank attends over the edges into its own nodes, all heads; halos are exchanged
  kHeads,  ///< each rank attends over all edges with its own heads; all-to-alls before and after
};

/// Shape of one graph-transformer block.
struct BlockConfig {
  int channels = 0;  ///< 0: as many as the model has
  int num_heads = 16;
  int attention_channels = 0;  ///< 0: as many as `channels`
  double mlp_hidden_ratio = 4;
  MlpKind mlp = MlpKind::kGelu;
  bool qk_norm = false;
  bool edge_pre_mlp = false;
  int edge_trainables = 8;
  /// 0: computed at once, activations kept for backward. n > 0: computed in n pieces (ranges of
  /// destinations in encoder and decoder, of layers in the processor) that backward recomputes.
  int num_chunks = 0;
  ShardStrategy shard_strategy = ShardStrategy::kEdges;
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
  kSkip,              ///< one input step
  kTruncated,         ///< the last input step, projected to the grid's coarse grid and back
  kScalarOrnstein,    ///< see `OrnsteinConfig`
  kSpectralOrnstein,  ///< the same, its coefficients varying smoothly over the globe
};

/// A residual that falls back to a learnt mean, per prognostic variable, x being the last step:
///
///   (1 - theta) x + mu + sum over regressors f of beta_f f,  theta between `margin` and 1
struct OrnsteinConfig {
  /// Start values of theta: one for all or one per prognostic variable; empty or out of range: the
  /// nearest of 0.01 and 0.99 (of what is left beside the margin).
  std::vector<double> theta = {};
  double margin = 0;
  bool trained = true;  ///< scalar only
  std::vector<std::string> regressors = {};
  /// Spectral only: coefficients are spherical harmonics of degree and order below this.
  int num_degrees = 2;
  bool with_mean = true;  ///< spectral only: false keeps mu at 0
  /// Spectral only: the last input step is smoothed first, by a learnt share of each degree of its
  /// harmonics, in all prognostic variables but `unfiltered`. As in the reference the encoder sees
  /// it smoothed too.
  bool low_pass = false;
  bool anti_aliasing = true;  ///< of the low pass: blends with the field as it was, by a learnt map
  std::vector<std::string> unfiltered = {};
};

/// Keeps output variables within limits, in normalised units. The leaky kinds let 1 % of what is
/// beyond a limit pass.
struct Bounding {
  enum class Kind : std::uint8_t {
    kRelu,  ///< max(x, 0)
    kLeakyRelu,
    kNormalizedRelu,  ///< max(x, minimum), one minimum per variable
    kNormalizedLeakyRelu,
    kHardtanh,  ///< clamp(x, minimum[0], maximum)
    kLeakyHardtanh,
    kFraction,  ///< clamp as above, times the variable `total`
    kLeakyFraction,
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

/// Which attention runs: vector loops over edges (see `attention`), or the composite of LibTorch
/// operations that is their oracle.
enum class AttentionBackend : std::uint8_t { kLoops, kComposite };

/// One set of fields on one grid that the model reads, writes or both.
struct DatasetConfig {
  std::string name = "data";  ///< as in parameter names
  Variables variables = {};
  int node_trainables = 8;
  std::string encoder_name = "0";  ///< as in parameter names; empty: the fields are not encoded
  BlockConfig encoder = {};        ///< that of the first dataset with this name of encoder counts
  std::string decoder_name = "0";  ///< empty: no output
  BlockConfig decoder = {};
  std::vector<TargetFeature> decoder_target = {TargetFeature::kEncodedData};
  Residual residual = Residual::kSkip;
  int skip_step = -1;  ///< input step of the skip; negative: from the end
  OrnsteinConfig ornstein = {};
  std::vector<Bounding> boundings = {};  ///< applied in this order
};

/// Makes one latent state of several encoders' states.
enum class LatentAggregator : std::uint8_t { kSum, kMean, kConcat };

/// Random numbers that make members of an ensemble differ: normal with this deviation, per hidden
/// node and channel, passed through a small network.
struct NoiseConfig {
  enum class Kind : std::uint8_t {
    kNone,
    kConditioning,  ///< the processor's layer norms scale and shift by it
    kInjection,     ///< mixed into the latent state before the processor
  };
  Kind kind = Kind::kNone;
  double deviation = 1;
  int channels = 4;
  int mlp_channels = 32;
};

/// Everything about a GraphTransformer encoder-processor-decoder but its graph and weights. Its own
/// fields describe the first dataset, most often the only one.
struct ModelConfig {
  Variables variables = {};
  int num_input_steps = 2;
  int num_output_steps = 1;
  int num_channels = 1024;
  int num_layers = 16;
  BlockConfig encoder;
  BlockConfig processor;
  BlockConfig decoder = {};
  int data_node_trainables = 8;
  int hidden_node_trainables = 8;
  std::vector<TargetFeature> decoder_target = {TargetFeature::kEncodedData};
  bool latent_skip = true;
  Residual residual = Residual::kSkip;
  int skip_step = -1;  ///< input step of the skip; negative: from the end
  OrnsteinConfig ornstein = {};
  std::vector<Bounding> boundings = {};  ///< applied in this order
  bool zero_output_layer = false;        ///< the last linear layer starts at zero
  AttentionBackend attention = AttentionBackend::kLoops;
  std::string data_name = "data";  ///< as in parameter names
  std::string hidden_name = "hidden";
  std::string encoder_name = "0";
  std::string decoder_name = "0";
  NoiseConfig noise;
  /// The encoder is told whether a step is the first (0) or a later one (1) of a forecast.
  bool forecast_step = false;
  std::vector<DatasetConfig> more_datasets = {};
  LatentAggregator latent_aggregator = LatentAggregator::kSum;
};

/// Returns all datasets, the first one made of the model's own fields.
[[nodiscard]] std::vector<DatasetConfig> datasets(const ModelConfig& config);

/// Returns the width of a block of a model.
[[nodiscard]] int channels_of(const BlockConfig& block, const ModelConfig& config) noexcept;

/// Throws one `Errc::kInvalidInput` that lists every value that makes no sense.
void validate(const ModelConfig& config);

/// Names the parts whose heads are fewer than `num_ranks` ranks that would share them, for a
/// warning: it works, but some ranks attend to nothing. Empty if there are none.
[[nodiscard]] std::vector<std::string> parts_with_idle_ranks(const ModelConfig& config,
                                                             int num_ranks);

}  // namespace askos::model
