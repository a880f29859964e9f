// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/port.hpp>
#include <askos/dataflow/stage.hpp>

#include <utility>

namespace askos::dataflow {

Port::Port(Stage& owner,
           std::string name,
           Contract contract,
           std::type_index type,
           PayloadDescriber describe,
           const PayloadStorage* storage)
    : owner_(&owner),
      name_(std::move(name)),
      contract_(std::move(contract)),
      type_(type),
      describer_(describe),
      storage_(storage) {}

InPort::InPort(Stage& owner,
               std::string name,
               Contract contract,
               std::type_index type,
               PayloadDescriber describe,
               const PayloadStorage* storage)
    : Port(owner, std::move(name), std::move(contract), type, describe, storage) {
  index_ = static_cast<int>(owner.inputs_.size());
  owner.inputs_.push_back(this);
}

OutPort::OutPort(Stage& owner,
                 std::string name,
                 Contract contract,
                 std::type_index type,
                 PayloadDescriber describe,
                 const PayloadStorage* storage,
                 Damage damaging)
    : Port(owner, std::move(name), std::move(contract), type, describe, storage),
      damage_(damaging) {
  index_ = static_cast<int>(owner.outputs_.size());
  owner.outputs_.push_back(this);
}

}  // namespace askos::dataflow
