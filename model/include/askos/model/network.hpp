// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>
#include <askos/model/graph_plan.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace askos::model {

struct NetworkOptions {
  bool float64 = false;          ///< dtype of parameters and activations, else float32
  std::uint64_t seed = 0;        ///< of the start values
  at::Device device = at::kCPU;  ///< of parameters and activations, see `find_device`
};

/// What a forward pass of some models needs besides the fields.
struct ForwardOptions {
  int forecast_step = 0;         ///< of models that are told: 0 in the first step
  std::uint64_t noise_seed = 0;  ///< of ensemble models: another seed, other noise
  /// Says which noise each batch entry gets; one number per entry, empty: 0, 1, … Whatever ranks
  /// and batches members are spread over, the same number and seed give the same noise.
  std::vector<std::int64_t> members = {};
  /// [batch, noise node of the whole mesh, channel]: instead of drawing, for comparisons.
  at::Tensor noise = {};
};

/// A GraphTransformer encoder-processor-decoder on one rank's shard of the globe.
///
/// Parameters are whole on every rank, under the names of anemoi-models 0.19; activations are
/// sharded along the nodes and no rank holds a whole one. One thread per rank; ranks of a group
/// call `forward`, and backward, together and in the same order.
class Network {
 public:
  /// Collective over `ranks`, which must outlive the network; blocks. Throws what `validate` of
  /// config and graph throws.
  Network(const ModelConfig& config,
          const Graph& graph,
          comm::Communicator& ranks,
          const NetworkOptions& options = {});
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// x    [batch, time, own data node, input variable], normalised, oldest step first
  /// gives [batch, time, own data node, output variable]
  ///
  /// Records gradients unless switched off (`c10::AutoGradMode`). Members of an ensemble are batch
  /// entries, those of one sample beside each other. Throws `Errc::kShapeMismatch` or
  /// `kTypeMismatch`. For models of one dataset.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const ForwardOptions& options = {}) const;

  /// `forward` of all datasets, in the order of `datasets(config)`, each shaped as above on its own
  /// grid. A result without a decoder is undefined.
  [[nodiscard]] std::vector<at::Tensor> forward_all(const std::vector<at::Tensor>& x,
                                                    const ForwardOptions& options = {}) const;

  /// `forward` without recording.
  [[nodiscard]] at::Tensor predict(const at::Tensor& x, const ForwardOptions& options = {}) const;

  [[nodiscard]] Parameters& parameters() noexcept;
  [[nodiscard]] const Parameters& parameters() const noexcept;
  [[nodiscard]] const GraphPlan& plan() const noexcept;
  [[nodiscard]] const ModelConfig& config() const noexcept;
  /// Returns the range of a dataset's nodes that this rank owns: the grid axis of its tensors.
  [[nodiscard]] comm::Range own_data(std::size_t dataset = 0) const noexcept;
  /// Returns, per part, the most rows of nodes that an activation has on this rank, for the log.
  [[nodiscard]] std::map<std::string, std::int64_t> activation_rows() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace askos::model
