// SPDX-License-Identifier: Apache-2.0
#include "node_features.hpp"

#include <ATen/ATen.h>

namespace askos::model {

NodeAttributes::NodeAttributes(Parameters& parameters,
                               const std::string& name,
                               const Nodes& nodes,
                               int num_trainables,
                               comm::Range own)
    : own_(own), num_trainables_(num_trainables) {
  const at::Tensor lat = at::tensor(nodes.lat, at::kDouble);
  const at::Tensor lon = at::tensor(nodes.lon, at::kDouble);
  coordinates_ =
      at::stack({lat.sin(), lon.sin(), lat.cos(), lon.cos()}, 1).to(parameters.options());
  parameters.buffer("node_attributes.latlons_" + name, coordinates_);
  if (num_trainables > 0) {
    trainables_ = parameters.constant("node_attributes.trainable_tensors." + name + ".trainable",
                                      {nodes.size(), num_trainables}, 0);
  }
}

at::Tensor NodeAttributes::coordinates() const {
  return coordinates_.narrow(0, own_.begin, own_.size());
}

at::Tensor NodeAttributes::trainables() const {
  if (num_trainables_ == 0) return coordinates().narrow(1, 0, 0);
  return trainables_.narrow(0, own_.begin, own_.size());
}

at::Tensor NodeAttributes::all() const {
  return at::cat({coordinates(), trainables()}, 1);
}

EdgeFeatures::EdgeFeatures(Parameters& parameters,
                           const std::string& name,
                           std::int64_t num_edges,
                           int num_trainables,
                           const EdgePlan& plan)
    : own_(plan.edges), attributes_(plan.attributes.to(parameters.options())) {
  // 1: trainables are stored in the order of edges sorted by destination.
  parameters.buffer(name + ".trainable_layout_version", at::ones({}, at::kLong));
  if (num_trainables > 0) {
    trainables_ =
        parameters.constant(name + ".trainable.trainable", {num_edges, num_trainables}, 0);
  }
}

std::int64_t EdgeFeatures::size() const {
  return attributes_.size(1) + (trainables_.defined() ? trainables_.size(1) : 0);
}

at::Tensor EdgeFeatures::operator()() const {
  if (!trainables_.defined()) return attributes_;
  return at::cat({attributes_, trainables_.narrow(0, own_.begin, own_.size())}, 1);
}

at::Tensor for_batch(const at::Tensor& x, std::int64_t batch) {
  return x.unsqueeze(0).expand({batch, -1, -1});
}

}  // namespace askos::model
