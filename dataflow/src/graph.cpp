// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/graph.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace askos::dataflow {
namespace {

auto find_owner(auto& stages, const Stage& stage) {
  return std::ranges::find_if(stages,
                              [&](const Graph::Node& node) { return node.stage.get() == &stage; });
}

}  // namespace

Stage& Graph::insert(const std::string& name, std::unique_ptr<Stage> stage, StageOptions options) {
  ASKOS_CHECK(stage != nullptr);
  stages_.push_back({name, std::move(options), std::move(stage)});
  return *stages_.back().stage;
}

void Graph::configure(const Stage& stage, StageOptions options) {
  const auto found = find_owner(stages_, stage);
  if (found == stages_.end()) {
    throw Error(Errc::kNotFound, "stage is not part of the graph").with("graph", name_);
  }
  found->options = std::move(options);
}

void Graph::inject(const Fault& fault) {
  const auto found = std::ranges::find(stages_, fault.stage, &Node::name);
  if (found == stages_.end()) {
    std::vector<std::string> known;
    std::ranges::transform(stages_, std::back_inserter(known), &Node::name);
    Error error(Errc::kNotFound, "fault names an unknown stage");
    error.with("stage", fault.stage);
    suggest(error, fault.stage, known);
    throw error;
  }
  found->options.faults.push_back(fault);
}

EdgeId Graph::connect_ports(const OutPort& from, const InPort& to, EdgeOptions options) {
  edges_.push_back({&from, &to, options});
  return EdgeId{static_cast<int>(edges_.size()) - 1};
}

const Graph::Node* Graph::find_stage(std::string_view name) const noexcept {
  const auto found = std::ranges::find(stages_, name, &Node::name);
  return found == stages_.end() ? nullptr : &*found;
}

StageId Graph::id_of(const Stage& stage) const {
  const auto found = find_owner(stages_, stage);
  if (found == stages_.end()) {
    throw Error(Errc::kNotFound, "stage is not part of the graph").with("graph", name_);
  }
  return StageId{static_cast<int>(found - stages_.begin())};
}

std::string Graph::edge_name(EdgeId edge) const {
  const auto& [from, to, options] = edges_.at(static_cast<std::size_t>(edge.value));
  const auto name_of = [this](const Port& port) {
    const auto found = find_owner(stages_, port.owner());
    return (found == stages_.end() ? "?" : found->name) + "." + port.name();
  };
  return name_of(*from) + ">" + name_of(*to);
}

}  // namespace askos::dataflow
